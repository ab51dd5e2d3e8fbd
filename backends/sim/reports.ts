/**
 * Completions on their way to the loop: when each is reported, in which order,
 * and what is checked and written at that moment.
 */
import * as layout from '#generated/layout';
import { AddressRecords } from '../../src/core/address.ts';
import type { BackendHost } from '../backend.ts';
import type { SimNetwork } from './network.ts';
import type { Operation, Outcome, Reporter } from './operation.ts';
import { isBefore, type Scheduled } from './scheduler.ts';
import { systemErrorOf } from './system-errors.ts';

/** A decided completion. */
interface Report {
  readonly operation: Operation;
  readonly outcome: Outcome;
  scheduled: Scheduled | undefined;
}

/** Added to an order number to come right after it: numbers handed out are whole. */
const RIGHT_AFTER = 2 ** -20;

export class Reports implements Reporter {
  readonly #host: BackendHost;
  readonly #network: SimNetwork;
  readonly #addresses: AddressRecords;
  readonly #driver: number;
  readonly #over: (operation: Operation) => void;
  readonly #reports = new Set<Report>();
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
    const report: Report = { operation, outcome, scheduled: undefined };
    this.#reports.add(report);
    report.scheduled = scheduler.at(
      operation.timeMs,
      () => this.#report(report),
      'network',
      operation.order,
    );
  }

  reportNow(operation: Operation, outcome: Outcome): void {
    this.#report({ operation, outcome, scheduled: undefined });
  }

  /** Reports all that is on its way, in order, without waiting for its time. */
  reportAll(): void {
    const reports = [...this.#reports].sort((a, b) =>
      isBefore(a.scheduled as Scheduled, b.scheduled as Scheduled) ? -1 : 1,
    );
    for (const report of reports) {
      this.#network.scheduler.cancel(report.scheduled as Scheduled);
      this.#report(report);
    }
  }

  /**
   * When to report: now, or, shuffled, later or behind others of the same time.
   * Never before what the same operation reported earlier, and a close never
   * before anything else of its handle.
   */
  #place(operation: Operation): void {
    const { scheduler, random, settings } = this.#network;
    let timeMs = scheduler.nowMs;
    let order = scheduler.nextOrder();
    if (random.chance(settings.shuffle)) {
      this.#network.count('shuffled');
      if (random.chance(0.5)) order += random.integer(1, 32);
      else timeMs = scheduler.tickAfter(random.between([0, settings.shuffleMs]));
    }
    const { socket } = operation;
    const after = [operation, operation.kind === 'close' ? socket : undefined];
    for (const earlier of after) {
      if (earlier === undefined || isBefore(earlier, { timeMs, order })) continue;
      timeMs = earlier.timeMs;
      order = earlier.order + RIGHT_AFTER;
    }
    operation.timeMs = timeMs;
    operation.order = order;
    if (socket !== undefined && isBefore(socket, operation)) {
      socket.timeMs = timeMs;
      socket.order = order;
    }
  }

  #report(report: Report): void {
    const { operation, outcome } = report;
    const { token, kind } = operation;
    const { result, flags = 0, buffer = layout.NOTHING } = outcome;
    this.#reports.delete(report);
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
    this.#network.trace(`${this.#driver} ${kind} ${token} ${result} ${flags}`);
    this.#host.complete(token, result, flags, buffer, systemErrorOf(result));
  }

  #write(operation: Operation, { bytes, from }: Outcome): void {
    const { u8 } = this.#host.core;
    if (from !== undefined) this.#addresses.write(operation.offset, from.text, from.port);
    if (bytes === undefined) return;
    u8.set(bytes, operation.offset + (from === undefined ? 0 : layout.ADDRESS_BYTES));
  }
}
