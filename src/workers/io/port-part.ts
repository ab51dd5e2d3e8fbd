/** One thread's part of a port that several share: the I/O thread's, or a worker's. */
import * as layout from '#generated/layout';
import { Connection } from '../../connection.ts';
import type { ConnectionOrigin, ConnectionState } from '../../connection-state.ts';
import type { Group } from '../../handlers.ts';
import type { Port } from '../../port.ts';
import type { PortShare } from '../../port-share.ts';
import type { ProfileValues } from '../../profile.ts';
import { askForSweeps } from './bell.ts';
import { SharedState, type ThreadPart } from './shared-state.ts';
import { SharedWaits } from './shared-waits.ts';

const EVENT_WORDS = layout.EVENT_BYTES / 4;
const RECORD = layout.Connection;
/** States in which a connection has a limited time. */
const ENDING = layout.STATE_RECEIVE_ENDED | layout.STATE_FAILED | layout.STATE_CLOSING;

export abstract class PortPart implements PortShare, ThreadPart {
  abstract readonly sweepsElsewhere: boolean;
  readonly waits: SharedWaits;
  readonly port: Port;
  #isDispatching = false;
  /** Slots of connections that have drained or closed in this turn. */
  #changed: number[] = [];

  constructor(port: Port, waits: SharedWaits) {
    this.port = port;
    this.waits = waits;
  }

  abstract askForSweeps(): void;
  abstract keepsSweeping(): boolean;
  abstract submit(submitRing: () => void): void;

  stateOf<Message>(origin: ConnectionOrigin<Message>): ConnectionState<Message> {
    return new SharedState(origin, this);
  }

  /** This thread has claimed the connection of this record. */
  #hasClaimed(record: number): boolean {
    const { core, regions } = this.port;
    return Atomics.load(core.i32, (record + RECORD.owner) >>> 2) === regions.index;
  }

  owns(record: number): boolean {
    if (!this.#hasClaimed(record)) return false;
    if (this.#isDispatching) return true;
    return Atomics.load(this.port.core.i32, (record + RECORD.callsHead) >>> 2) === 0;
  }

  post(token: number, call: number, payload: Uint8Array | string | number): number {
    const { core, regions, payloads } = this.port;
    const { postCall } = core.exports;
    let result: number;
    if (typeof payload === 'number') result = postCall(regions.worker, token, call, payload, 0);
    else {
      const at = payloads.place(payload);
      if (at === 0) return layout.ERROR_NO_BUFFERS;
      result = postCall(regions.worker, token, call, at, payloads.length);
      payloads.release();
    }
    if (call === layout.CALL_CLOSE) this.askForSweeps();
    this.port.scheduleFlush();
    return result;
  }

  meet(_count: number): void {
    this.#isDispatching = true;
  }

  dispatched(count: number): void {
    this.#isDispatching = false;
    const { core, regions } = this.port;
    const { u32, i32 } = core;
    if (u32[(regions.worker + layout.Worker.others) >>> 2] === 0) return;
    for (let index = 0; index < count; index++) {
      const word = (regions.events >>> 2) + index * EVENT_WORDS;
      const kind = u32[word];
      if (kind !== layout.EVENT_DRAIN && kind !== layout.EVENT_CLOSE) continue;
      this.#changed.push(i32[word + 1] as number);
    }
  }

  release(_submitRing: () => void): void {
    this.port.core.exports.releaseClaims(this.port.regions.worker);
    // Not before: a record is there until it is released.
    if (this.#changed.length !== 0) {
      this.#changed = this.#changed.filter((slot) => !this.#toldOf(slot));
    }
  }

  /** False if its closed record had to be kept for another turn. */
  #toldOf(slot: number): boolean {
    const { core, regions } = this.port;
    const record = this.port.recordOf(slot);
    const state = core.u32[(record + RECORD.state) >>> 2] as number;
    if (this.#hasClaimed(record) && (state & layout.STATE_CLOSED) !== 0) {
      const token = core.f64[(record + RECORD.token) >>> 3] as number;
      if (core.exports.poolCheck(regions.connections, token) === slot) return false;
    }
    this.waits.tell(slot);
    return true;
  }
}

/** What the I/O thread's part needs to know of its server. */
export interface SweepHooks {
  /** A connection has a time limit now. */
  begin(): void;
  /** Whether any still has. */
  areNeeded(): boolean;
}

export class IoPart extends PortPart {
  readonly sweepsElsewhere = false;
  sweeps: SweepHooks | undefined;

  constructor(port: Port) {
    super(port, SharedWaits.create(port.sizes.maxConnections));
  }

  askForSweeps(): void {
    this.sweeps?.begin();
  }

  keepsSweeping(): boolean {
    return this.sweeps?.areNeeded() ?? false;
  }

  /** In the order of all workers, its own submissions among them. */
  submit(submitRing: () => void): void {
    const { core, regions } = this.port;
    while (core.exports.takeSubmissions(regions.worker) > 0) submitRing();
  }

  override release(submitRing: () => void): void {
    const { core, regions, driver } = this.port;
    this.submit(submitRing);
    super.release(submitRing);
    // What this thread left for itself, which nobody else will tell it of.
    if (core.exports.ioWake(regions.worker) === 1) driver.wake();
  }

  /** Tokens of the connections that there are. */
  tokens(): number[] {
    const { core, regions, sizes } = this.port;
    const tokens: number[] = [];
    for (let slot = 0; slot < sizes.maxConnections; slot++) {
      const record = this.port.recordOf(slot);
      const token = core.f64[(record + RECORD.token) >>> 3] as number;
      if (core.u32[(record + RECORD.kind) >>> 2] !== layout.CONNECTION_STREAM) continue;
      if (core.exports.poolCheck(regions.connections, token) === slot) tokens.push(token);
    }
    return tokens;
  }

  /** Asks it of all connections. */
  postAll(call: number, value: number): void {
    for (const token of this.tokens()) this.post(token, call, value);
  }

  /** As `Connection.hasTimeLimit`, of any. */
  hasTimeLimits({ idleTimeoutMs, firstMessageTimeoutMs }: ProfileValues): boolean {
    const { u32 } = this.port.core;
    return this.tokens().some((token) => {
      if (idleTimeoutMs + firstMessageTimeoutMs > 0) return true;
      const record = this.port.recordOf(token % layout.POOL_CAPACITY_MAX);
      const isEnding = ((u32[(record + RECORD.state) >>> 2] as number) & ENDING) !== 0;
      return isEnding || u32[(record + RECORD.closingMs) >>> 2] !== 0;
    });
  }
}

export class WorkerPart extends PortPart {
  readonly sweepsElsewhere = true;
  readonly #bell: number;
  readonly #group: Group<Uint8Array>;

  /** `bell`: index of the word that wakes the I/O thread. `group`: of all connections. */
  constructor(port: Port, waits: Int32Array, bell: number, group: Group<Uint8Array>) {
    super(port, new SharedWaits(waits));
    this.#bell = bell;
    this.#group = group;
  }

  askForSweeps(): void {
    askForSweeps(this.port.core.i32, this.#bell);
  }

  keepsSweeping(): boolean {
    return false;
  }

  submit(submitRing: () => void): void {
    submitRing();
  }

  /** Makes objects for connections that others had before. */
  override meet(count: number): void {
    super.meet(count);
    const { port } = this;
    const { u32, i32, f64 } = port.core;
    const { entities, regions } = port;
    for (let index = 0; index < count; index++) {
      const word = (regions.events >>> 2) + index * EVENT_WORDS;
      const slot = i32[word + 1] as number;
      const token = f64[(port.recordOf(slot) + RECORD.token) >>> 3] as number;
      if (entities[slot]?.id === token) continue;
      const isOpen = u32[word] !== layout.EVENT_OPEN;
      entities[slot] = new Connection({ port, slot, token, group: this.#group, isOpen });
    }
  }
}
