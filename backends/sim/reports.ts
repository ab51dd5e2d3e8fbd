/**
 * Completions on their way to the loop: when each is reported, in which order,
 * and what is checked and written at that moment.
 */
import * as layout from '#generated/layout';
import { AddressRecords } from '../../src/core/address.ts';
import type { BackendHost } from '../backend.ts';
import type { SimNetwork } from './network.ts';
import type { Moment, Operation, Outcome, Reporter } from './operation.ts';
import { isBefore, Scheduled } from './scheduler.ts';
import { systemErrorOf } from './system-errors.ts';

/** A decided completion, on its way. */
class Report extends Scheduled {
  readonly operation: Operation;
  readonly outcome: Outcome;

  constructor(
    timeMs: number,
    operation: Operation,
    outcome: Outcome,
    run: (scheduled: Scheduled) => void,
  ) {
    super(timeMs, operation.order, 'network', run);
    this.operation = operation;
    this.outcome = outcome;
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
  /** One for all: it also tells them from those of other drivers. */
  readonly #run = (scheduled: Scheduled): void => {
    const { operation, outcome } = scheduled as Report;
    this.#report(operation, outcome);
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

  finish(operation: Operation, outcome: Outcome): void {
    const { scheduler } = this.#network;
    if (((outcome.flags ?? 0) & layout.COMPLETION_MORE) === 0) operation.isDecided = true;
    this.#place(operation);
    scheduler.add(new Report(scheduler.dueMs(operation.timeMs), operation, outcome, this.#run));
  }

  reportNow(operation: Operation, outcome: Outcome): void {
    this.#report(operation, outcome);
  }

  /** Reports all that is on its way, in order, without waiting for its time. */
  reportAll(): void {
    const { scheduler } = this.#network;
    const own = [...scheduler.waiting()].filter(({ run }) => run === this.#run);
    for (const report of own.sort((a, b) => (isBefore(a, b) ? -1 : 1))) {
      scheduler.cancel(report);
      this.#run(report);
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

  #report(operation: Operation, outcome: Outcome): void {
    const { token, kind } = operation;
    const { result, flags = 0, buffer = layout.NOTHING } = outcome;
    if (operation.lent?.isUntouched() === false) {
      this.#network.violate(
        'lentViolations',
        `the range lent to ${kind} (token ${token}) was touched before its completion: ` +
          `${operation.length} bytes at ${operation.offset}`,
      );
    }
    this.#write(operation, outcome);
    if ((flags & layout.COMPLETION_MORE) === 0) this.#over(operation);
    this.unhandled += 1;
    this.#network.count('completions');
    if (this.#network.settings.trace !== undefined) {
      this.#network.trace(`${this.#driver} ${kind} ${token} ${result} ${flags}`);
    }
    this.#host.complete(token, result, flags, buffer, systemErrorOf(result));
  }

  #write(operation: Operation, { bytes, from }: Outcome): void {
    const { u8 } = this.#host.core;
    if (from !== undefined) this.#addresses.write(operation.offset, from.text, from.port);
    if (bytes === undefined) return;
    u8.set(bytes, operation.offset + (from === undefined ? 0 : layout.ADDRESS_BYTES));
  }
}
