/** What the sockets of one driver share. */
import type { BackendCounters, BackendHost } from '../backend.ts';
import type { Begun, Entry } from '../stream/driver.ts';
import { HandleTable } from '../stream/handles.ts';
import type { Lookout } from '../stream/lookout.ts';
import type { Reporter } from '../stream/reporter.ts';
import type { BunApi } from './bun-api.ts';
import type { BunConnection } from './connection.ts';
import type { Pacer } from './pacer.ts';

export class BunContext {
  readonly bun: BunApi;
  readonly reporter: Reporter;
  readonly pacer: Pacer;
  readonly lookout: Lookout;
  readonly handles = new HandleTable<Entry>();
  readonly begun = new Set<Begun>();
  /** Handles whose close is under way. */
  readonly closing = new Set<number>();
  /** Connections with sends of this turn. */
  readonly dirty: BunConnection[] = [];
  /** All linear memory. */
  readonly memory: Uint8Array;
  readonly counts = {
    accepted: 0,
    connected: 0,
    acceptsHeld: 0,
    acceptsReset: 0,
    connectErrors: 0,
    streamErrors: 0,
    partialWrites: 0,
    staleSocketsReplaced: 0,
    datagramsReceived: 0,
    datagramsSent: 0,
    datagramsDropped: 0,
    datagramErrors: 0,
  };
  bytesSent = 0;
  #streams = 0;

  constructor(bun: BunApi, host: BackendHost, reporter: Reporter, pacer: Pacer, lookout: Lookout) {
    this.bun = bun;
    this.reporter = reporter;
    this.pacer = pacer;
    this.lookout = lookout;
    this.memory = host.core.u8;
  }

  count(name: keyof BunContext['counts']): void {
    this.counts[name]++;
  }

  open(entry: Entry): number {
    return this.handles.add(entry);
  }

  closed(handle: number): void {
    this.closing.delete(handle);
    this.handles.release(handle);
  }

  openStream(entry: Entry): number {
    this.reporter.alone = ++this.#streams === 1;
    return this.open(entry);
  }

  closedStream(handle: number): void {
    this.reporter.alone = --this.#streams === 1;
    this.closed(handle);
  }

  counters(): BackendCounters {
    return {
      ...this.counts,
      bytesSent: this.bytesSent,
      passes: this.reporter.passes,
      ...this.lookout.counters(),
    };
  }
}
