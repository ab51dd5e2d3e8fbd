/** A shared port driven by hand: worker 0 is the I/O thread, the test is the backend. */
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import type { Limits } from '../../backends/backend.ts';
import { type LoopProfileOptions, writeLoopProfile } from '../../src/core/loop-profile.ts';
import { attachWorker, placeRegions, portRecords, type Regions } from '../../src/core/regions.ts';
import { parseFraming } from '../../src/framing.ts';
import { createCore } from '../support/primitives.ts';
import type { MakeCore } from '../support/variants.ts';

export interface SeenEvent {
  readonly kind: number;
  readonly slot: number;
  /** Of a message. */
  readonly text: string;
  /** Of the others: offset of the record, an error where there is one. */
  readonly value: number;
}

export interface Submitted {
  readonly kind: number;
  readonly handle: number;
  readonly token: number;
  readonly operation: number;
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
}

export interface SceneOptions {
  readonly workers?: number;
  readonly locks?: number;
  readonly batch?: number;
  readonly stateBytes?: number;
  readonly receiveBuffers?: number;
  readonly limits?: Partial<Limits>;
  readonly profile?: Partial<LoopProfileOptions>;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class SharedScene {
  readonly core;
  /** By worker. */
  readonly regions: readonly Regions[];
  readonly profile: number;
  readonly listener: number;
  /** What the I/O thread was given and has not completed, in order. */
  readonly pending: Submitted[] = [];
  /** All events of worker k, in order. */
  readonly events: SeenEvent[][];
  /** Wakes of the I/O thread that somebody was told to make. */
  wakes = 0;
  nowMs = 1000;
  readonly selects: boolean;
  #handles = 100;
  /** Of the armed accept. */
  acceptToken = 0;

  constructor(makeCore: MakeCore, options: SceneOptions = {}) {
    const { workers = 2, locks = 3 } = options;
    this.core = createCore(makeCore, 8 << 20);
    const limits = {
      receiveDepth: 4,
      sendDepth: 1,
      maxTransferBytes: 2 ** 20,
      selectsBuffers: false,
      ...options.limits,
    };
    this.selects = limits.selectsBuffers;
    const regions = placeRegions(
      this.core,
      {
        maxConnections: 8,
        receiveBuffers: options.receiveBuffers ?? 32,
        receiveBufferBytes: 64,
        arenaBytes: 2 ** 17,
        ...(options.stateBytes === undefined ? {} : { stateBytes: options.stateBytes }),
        sharing: {
          workers,
          locks,
          ...(options.batch === undefined ? {} : { batch: options.batch }),
        },
      },
      limits,
    );
    this.regions = Array.from({ length: workers + 1 }, (_, index) => attachWorker(regions, index));
    this.events = this.regions.map(() => []);
    this.profile = writeLoopProfile(
      this.core,
      { framing: parseFraming('line'), receiveDepth: limits.receiveDepth, ...options.profile },
      { ...limits, receiveBytes: 64 },
    );
    const { exports } = this.core;
    this.listener = exports.connectionCreate(
      regions.worker,
      layout.CONNECTION_LISTENER,
      this.profile,
    );
    const opening = exports.operationStart(
      regions.worker,
      layout.OPERATION_LISTEN,
      this.slotOf(this.listener),
    );
    this.complete(opening, 1);
    this.io();
    this.acceptToken = this.take(layout.OPERATION_ACCEPT).token;
    this.events[0]?.splice(0);
  }

  get exports() {
    return this.core.exports;
  }

  of(worker: number): Regions {
    return this.regions[worker] as Regions;
  }

  slotOf(token: number): number {
    return this.exports.connectionCheck(this.of(0).worker, token);
  }

  recordOf(slot: number): number {
    return this.exports.poolAddress(this.of(0).connections, slot) >>> 0;
  }

  field(token: number, name: keyof typeof layout.Connection): number {
    const slot = this.slotOf(token);
    assert.ok(slot >= 0, 'the connection is gone');
    return this.core.i32[(this.recordOf(slot) + layout.Connection[name]) >>> 2] as number;
  }

  owner(token: number): number {
    return this.field(token, 'owner');
  }

  more(worker: number): boolean {
    return this.core.u32[(this.of(worker).worker + layout.Worker.more) >>> 2] === 1;
  }

  counter(name: keyof typeof layout.Port): number {
    const word = (port: number) => this.core.f64[(port + layout.Port[name]) >>> 3] as number;
    return portRecords(this.of(0)).reduce((sum, port) => sum + word(port), 0);
  }

  /** As a driver in the I/O thread reports. */
  complete(token: number, result: number, flags = 0, buffer: number = layout.NOTHING): void {
    const { worker } = this.of(0);
    assert.is(this.exports.complete(worker, token, result, flags, buffer, 0), 0);
  }

  /** As a kernel's port that pushes by itself. */
  push(token: number, result: number): void {
    const { completions } = this.of(0);
    assert.is(this.exports.queuePush(completions, token, result, 0, layout.NOTHING, 0), 0);
  }

  turn(worker: number): readonly SeenEvent[] {
    const { exports, core } = this;
    const own = this.of(worker);
    const count = exports.turn(own.worker, this.nowMs);
    const seen: SeenEvent[] = [];
    for (let index = 0; index < count; index++) {
      const word = (own.events + index * layout.EVENT_BYTES) >>> 2;
      const kind = core.u32[word] as number;
      const offset = core.i32[word + 2] as number;
      const length = core.u32[word + 3] as number;
      const isMessage = kind === layout.EVENT_MESSAGE;
      seen.push({
        kind,
        slot: core.i32[word + 1] as number,
        text: isMessage ? decoder.decode(core.u8.slice(offset, offset + length)) : '',
        value: isMessage ? 0 : offset,
      });
    }
    this.events[worker]?.push(...seen);
    return seen;
  }

  /** After the handlers: what they asked for goes to the I/O thread. */
  finish(worker: number): void {
    let again: number;
    do {
      again = this.exports.finish(this.of(worker).worker);
      if (worker === 0) {
        while (this.exports.takeSubmissions(this.of(0).worker) > 0) this.#submitOwn();
      } else this.handOver(worker);
    } while (again !== 0);
  }

  handOver(worker: number): void {
    this.wakes += this.exports.handOver(this.of(worker).worker);
  }

  release(worker: number): number {
    return this.exports.releaseClaims(this.of(worker).worker);
  }

  /** A whole round of a worker. */
  round(worker: number): readonly SeenEvent[] {
    const seen = this.turn(worker);
    this.finish(worker);
    this.release(worker);
    return seen;
  }

  /** A pass of the I/O thread. */
  io(): readonly SeenEvent[] {
    const seen = this.turn(0);
    this.finish(0);
    this.release(0);
    return seen;
  }

  #submitOwn(): void {
    const { u32, i32, f64 } = this.core;
    const own = this.of(0);
    const field = (own.worker + layout.Worker.submissionCount) >>> 2;
    const count = u32[field] as number;
    for (let index = 0; index < count; index++) {
      const at = own.submissions + index * layout.SUBMISSION_BYTES;
      const word = (name: number) => u32[(at + name) >>> 2] as number;
      const fields = layout.Submission;
      this.pending.push({
        kind: word(fields.kind),
        handle: i32[(at + fields.handle) >>> 2] as number,
        token: f64[(at + fields.token) >>> 3] as number,
        operation: i32[(at + fields.operation) >>> 2] as number,
        offset: word(fields.offset),
        length: word(fields.length),
        flags: word(fields.flags),
      });
    }
    u32[field] = 0;
  }

  /** Takes the first pending submission of a kind, and of a handle if one is given. */
  take(kind: number, handle?: number): Submitted {
    const index = this.pending.findIndex(
      (item) => item.kind === kind && (handle === undefined || item.handle === handle),
    );
    assert.ok(index >= 0, `nothing of kind ${kind} is pending`);
    return this.pending.splice(index, 1)[0] as Submitted;
  }

  has(kind: number): boolean {
    return this.pending.some((item) => item.kind === kind);
  }

  /** A connection comes in: its handle. It is offered, and nobody has it. */
  accept(): number {
    const handle = this.#handles++;
    this.complete(this.acceptToken, handle, layout.COMPLETION_MORE);
    this.io();
    return handle;
  }

  /** A connection that worker `worker` has opened and given up again: its token. */
  open(worker = 1): { token: number; handle: number } {
    const handle = this.accept();
    const [event] = this.round(worker);
    assert.is(event?.kind, layout.EVENT_OPEN);
    const token = this.core.f64[this.recordOf(event?.slot as number) >>> 3] as number;
    this.io();
    return { token, handle };
  }

  /** What a receive that was taken completes with. */
  fill(submitted: Submitted, text: string): void {
    const bytes = encoder.encode(text);
    assert.ok(bytes.length <= submitted.length);
    this.core.u8.set(bytes, submitted.offset);
    this.complete(submitted.token, bytes.length);
  }

  /** A receive that stays armed gets a buffer. */
  feed(submitted: Submitted, text: string): void {
    const bytes = encoder.encode(text);
    const buffer = this.exports.bufferTake(this.of(0).worker);
    assert.ok(buffer >= 0);
    this.core.u8.set(bytes, this.exports.poolAddress(this.of(0).buffers, buffer) >>> 0);
    const flags = layout.COMPLETION_MORE | layout.COMPLETION_BUFFER;
    this.complete(submitted.token, bytes.length, flags, buffer);
  }

  post(worker: number, token: number, kind: number, text: string | number = ''): number {
    const own = this.of(worker);
    if (typeof text === 'number') return this.exports.postCall(own.worker, token, kind, text, 0);
    const bytes = encoder.encode(text);
    this.core.u8.set(bytes, own.scratch);
    const result = this.exports.postCall(own.worker, token, kind, own.scratch, bytes.length);
    this.wakes += this.exports.ioWake(own.worker);
    return result;
  }

  /** As a handler in `worker` sends. */
  send(worker: number, token: number, text: string): number {
    const own = this.of(worker);
    assert.is(this.owner(token), worker);
    const bytes = encoder.encode(text);
    this.core.u8.set(bytes, own.scratch);
    return this.exports.send(own.worker, this.slotOf(token), own.scratch, bytes.length);
  }

  /** The bytes of a send that was taken; it completes. */
  sent(submitted: Submitted): string {
    const { offset, length, token } = submitted;
    const text = decoder.decode(this.core.u8.slice(offset, offset + length));
    this.complete(token, length);
    return text;
  }

  /** Completes what is pending with an end, until nothing is; every worker goes on meanwhile. */
  settle(): void {
    for (let rounds = 0; rounds < 50; rounds++) {
      for (let worker = 1; worker < this.regions.length; worker++) this.round(worker);
      this.io();
      const left = this.pending.splice(0);
      for (const item of left) {
        const { kind, handle, token, length } = item;
        if (kind === layout.OPERATION_CANCEL) continue;
        if (kind === layout.OPERATION_RECEIVE) this.complete(token, layout.ERROR_CANCELED);
        else if (kind === layout.OPERATION_SEND) this.complete(token, length);
        // A close completes last.
        else if (left.some((other) => other !== item && other.handle === handle)) {
          this.pending.push(item);
        } else this.complete(token, 0);
      }
    }
  }

  /** Everything is given back, but for the listener's record and `open` other connections. */
  verify(open = 0): void {
    const { operations, buffers, connections, arena } = this.of(0);
    const { exports, u32 } = this.core;
    for (const { worker } of this.regions) {
      assert.is(exports.releaseClaims(worker), 0, 'claims are kept');
    }
    assert.is(exports.poolInUse(connections), open + 1, 'connections in use');
    if (open === 0) {
      assert.is(exports.poolInUse(buffers), 0, 'buffers in use');
      assert.is(exports.arenaUsed(arena), 0, 'arena in use');
      assert.ok(exports.poolInUse(operations) <= 1, 'operations in use');
    }
    const queues = [...this.regions].map(
      ({ worker }) => u32[(worker + layout.Worker.inbox) >>> 2] as number,
    );
    for (const queue of queues) assert.is(exports.queueLength(queue), 0, 'an inbox is not empty');
  }
}
