/**
 * Completions on their way to the loop: when each is reported, in which order,
 * and what is checked and written at that moment.
 */
import * as layout from '#generated/layout';
import { AddressRecords } from '../../src/core/address.ts';
import type { BackendHost } from '../backend.ts';
import type { Chunk } from './byte-queue.ts';
import { takeBack } from './loans.ts';
import type { SimNetwork } from './network.ts';
import type { Moment, Operation, Reporter } from './operation.ts';
import { isBefore, Scheduled } from './scheduler.ts';
import { systemErrorOf } from './system-errors.ts';

/** What an operation that goes on has brought, on its way. */
class Report extends Scheduled {
  readonly operation: Operation;
  readonly result: number;

  constructor(operation: Operation, result: number, run: (scheduled: Scheduled) => void) {
    super(operation.timeMs, operation.order, 'network', run);
    this.operation = operation;
    this.result = result;
  }
}

/** Added to an order number to come right after it: numbers handed out are whole. */
const RIGHT_AFTER = 2 ** -20;

function isEarlier(moment: Moment, timeMs: number, order: number): boolean {
  return moment.timeMs < timeMs || (moment.timeMs === timeMs && moment.order < order);
}

export class Reports implements Reporter {
  readonly #host: BackendHost;
  readonly #network: SimNetwork;
  readonly #addresses: AddressRecords;
  readonly #driver: number;
  readonly #over: (operation: Operation) => void;
  /** One for all: they also tell reports from those of other drivers. */
  readonly #end = (operation: Scheduled): void => this.#reportEnd(operation as Operation);
  readonly #part = (scheduled: Scheduled): void => {
    const { operation, result } = scheduled as Report;
    this.#report(operation, result, layout.COMPLETION_MORE, layout.NOTHING);
  };
  /** Completions reported since the loop last handled some. */
  unhandled = 0;

  /**
   * @param driver its number, for the trace
   * @param over called with each operation before its final completion is reported
   */
  constructor(
    host: BackendHost,
    network: SimNetwork,
    driver: number,
    over: (operation: Operation) => void,
  ) {
    this.#host = host;
    this.#network = network;
    this.#addresses = new AddressRecords(host.core.u8);
    this.#driver = driver;
    this.#over = over;
  }

  finish(operation: Operation, result: number): void {
    operation.isDecided = true;
    operation.result = result;
    this.#place(operation);
    operation.run = this.#end;
    this.#network.scheduler.add(operation);
  }

  fill(operation: Operation, result: number, bytes: Chunk, start: number, count: number): void {
    operation.bytes = bytes;
    operation.bytesStart = start;
    operation.bytesCount = count;
    this.finish(operation, result);
  }

  goOn(operation: Operation, result: number): void {
    this.#place(operation);
    this.#network.scheduler.add(new Report(operation, result, this.#part));
  }

  reportBuffer(operation: Operation, result: number, buffer: number): void {
    takeBack(operation, this.#host.core, this.#network);
    const more = operation.isDecided ? 0 : layout.COMPLETION_MORE;
    if (operation.isDecided) this.#over(operation);
    this.#report(operation, result, layout.COMPLETION_BUFFER | more, buffer);
  }

  /** The end of an operation that nobody pumps for: without waiting for its time. */
  reportNow(operation: Operation, result: number): void {
    operation.result = result;
    this.#reportEnd(operation);
  }

  /** Reports all that is on its way, in order, without waiting for its time. */
  reportAll(): void {
    const { scheduler } = this.#network;
    const own = [...scheduler.waiting()].filter(
      ({ run }) => run === this.#end || run === this.#part,
    );
    for (const report of own.sort((a, b) => (isBefore(a, b) ? -1 : 1))) {
      const { run } = report;
      scheduler.cancel(report);
      run?.(report);
    }
  }

  /**
   * When to report: now, or, shuffled, later or behind others of the same time.
   * Never before what the same operation reported earlier, and a close never
   * before anything else of its handle.
   */
  #place(operation: Operation): void {
    const { random, scheduler, settings } = this.#network;
    let timeMs = scheduler.nowMs;
    let order = scheduler.nextOrder();
    if (random.chance(settings.shuffle)) {
      this.#network.count('shuffled');
      if (random.chance(0.5)) order += random.integer(1, 32);
      else timeMs = scheduler.tickAfter(random.between([0, settings.shuffleMs]));
    }
    const { socket } = operation;
    if (!isEarlier(operation, timeMs, order)) {
      timeMs = operation.timeMs;
      order = operation.order + RIGHT_AFTER;
    }
    if (operation.kind === 'close' && socket !== undefined && !isEarlier(socket, timeMs, order)) {
      timeMs = socket.timeMs;
      order = socket.order + RIGHT_AFTER;
    }
    operation.timeMs = timeMs;
    operation.order = order;
    if (socket !== undefined && isBefore(socket, operation)) {
      socket.timeMs = timeMs;
      socket.order = order;
    }
  }

  #reportEnd(operation: Operation): void {
    takeBack(operation, this.#host.core, this.#network);
    this.#write(operation);
    const { result } = operation;
    this.#over(operation);
    this.#report(operation, result, 0, layout.NOTHING);
  }

  #report({ token, kind }: Operation, result: number, flags: number, buffer: number): void {
    this.unhandled += 1;
    this.#network.frequent.completions += 1;
    if (this.#network.settings.trace !== undefined) {
      this.#network.trace(`${this.#driver} ${kind} ${token} ${result} ${flags}`);
    }
    this.#host.complete(token, result, flags, buffer, systemErrorOf(result));
  }

  #write({ bytes, bytesStart, bytesCount, from, offset }: Operation): void {
    let to = offset;
    if (from !== undefined) {
      this.#addresses.write(offset, from.text, from.port);
      to += layout.ADDRESS_BYTES;
    }
    const { u8, u32 } = this.#host.core;
    bytes?.copy(bytesStart, bytesCount, u8, u32, to);
  }
}
