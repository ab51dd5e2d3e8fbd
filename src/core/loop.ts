/** The loop between a backend's completions and an application's messages, as an object. */
import * as layout from '#generated/layout';
import { OverlappedError } from '../errors.ts';
import type { Core } from './core.ts';
import { LoopEvents, LoopSubmissions } from './loop-cursor.ts';
import { type LoopProfileOptions, writeLoopProfile } from './loop-profile.ts';
import { requireInteger } from './memory.ts';
import {
  DEPTH_MAX,
  EVENT_CAPACITY,
  placeRegions,
  type Regions,
  SCRATCH_BYTES,
  SUBMISSION_CAPACITY,
} from './regions.ts';

/** How to make a `CompletionLoop`: its sizes, and what its backend can do. */
export interface CompletionLoopOptions {
  /** Records of connections, listeners and datagram sockets. Default 64. */
  readonly maxConnections?: number;
  /** Default 64. */
  readonly receiveBuffers?: number;
  /** Default 16,384. */
  readonly receiveBufferBytes?: number;
  /** For sends and for frames that span receives: a power of two, at least 512. Default 1 MiB. */
  readonly arenaBytes?: number;
  /** Receives the backend can have pending on one connection, 1 to 64. Default 1. */
  readonly receiveDepth?: number;
  /** Sends the backend can have pending on one connection, 1 to 64; above 1 each send is whole. Default 1. */
  readonly sendDepth?: number;
  /** Largest single send in bytes. Default 2^31 - 1. */
  readonly maxTransferBytes?: number;
  /** Receives are armed once and take their buffers by `takeBuffer`. Default false. */
  readonly selectsBuffers?: boolean;
  /**
   * Whether a receive may have length 0, to tell when there is something to
   * receive: it completes with 0 then. `'scarce'`: when few buffers are free;
   * `'always'`: each wait. Default `'never'`.
   */
  readonly probes?: 'never' | 'scarce' | 'always';
  /** Most operations at once. Default, and at most: 4 * `maxConnections` + 1024. */
  readonly maxOperations?: number;
  /** Events of one turn, 2 to 4096. Default 4096. */
  readonly eventCapacity?: number;
  /** Submissions before they must be taken, 2 to 1024. Default 1024. */
  readonly submissionCapacity?: number;
}

/** What `CompletionLoop.open` began. */
export interface LoopOpening {
  /** Token of the connection. */
  readonly connection: number;
  /** Token of the operation that opens it: complete it with the handle, or with an error. */
  readonly operation: number;
}

/** Counters of a loop, all from its beginning but the first four, which are what is in use. */
export interface LoopCounters {
  readonly connections: number;
  readonly operations: number;
  readonly buffers: number;
  readonly arenaBytes: number;
  readonly completed: number;
  /** Completions that named nothing any more: late ones, and duplicates. */
  readonly stale: number;
  /** Completions that came after their connection was told to close. */
  readonly late: number;
  /** Connections closed at once because there was no record, or the listener had its most. */
  readonly rejected: number;
  readonly accepted: number;
  readonly connected: number;
  readonly closed: number;
  readonly failed: number;
  readonly oversize: number;
  readonly timeouts: number;
  readonly starved: number;
  readonly datagramsReceived: number;
  readonly datagramsSent: number;
  readonly submitted: number;
  readonly turns: number;
}

/** Addresses at and above this look negative to the core. */
const ADDRESS_LIMIT = 2 ** 31;

const KINDS = {
  stream: layout.CONNECTION_STREAM,
  listener: layout.CONNECTION_LISTENER,
  datagram: layout.CONNECTION_DATAGRAM,
} as const;

/**
 * A proactor without an operating system: completions go in, events and
 * submissions come out, in linear memory and without an allocation. Whoever
 * owns it performs the submissions, by whatever means, and hands out the
 * events. One round:
 *
 * ```ts
 * loop.turn(nowMs);
 * submitAll(loop.submissions);
 * for (const event = loop.events; event.next(); ) dispatch(event);
 * do {
 *   again = loop.finish();
 *   submitAll(loop.submissions);
 * } while (again);
 * ```
 *
 * A round is due after completions, while `hasMore`, after `resume` returned
 * true and after `sweep` returned more than 0. What a handler, or anyone
 * between rounds, asked of a connection is submitted by the next `finish`.
 *
 * Connections are named by tokens; one that names a connection gone by throws
 * `STALE_TOKEN`. One thread at a time.
 */
export class CompletionLoop {
  readonly core: Core;
  /** The events of the last turn; each turn starts anew. */
  readonly events: LoopEvents;
  /** What is to be submitted. */
  readonly submissions: LoopSubmissions;
  readonly #regions: Regions;
  readonly #limits: { receiveDepth: number; sendDepth: number; receiveBytes: number };

  private constructor(
    core: Core,
    regions: Regions,
    limits: { receiveDepth: number; sendDepth: number; receiveBytes: number },
  ) {
    this.core = core;
    this.#regions = regions;
    this.#limits = limits;
    this.events = new LoopEvents(core, regions);
    this.submissions = new LoopSubmissions(core, regions);
  }

  /**
   * Its memory is reserved for as long as the core lives.
   * @throws OverlappedError `INVALID_OPTION`; `NO_BUFFERS` when the memory is used up
   */
  static create(core: Core, options: CompletionLoopOptions = {}): CompletionLoop {
    const integer = (name: IntegerOption, otherwise: number, min: number, max: number) =>
      requireInteger(name, options[name] ?? otherwise, min, max);
    const sizes = {
      maxConnections: integer('maxConnections', 64, 1, layout.POOL_CAPACITY_MAX),
      receiveBuffers: integer('receiveBuffers', 64, 1, layout.POOL_CAPACITY_MAX),
      receiveBufferBytes: integer('receiveBufferBytes', 16_384, 1, 2 ** 24),
      arenaBytes: integer('arenaBytes', 2 ** 20, 2 ** layout.ARENA_MIN_LOG2, 2 ** 30),
    };
    const limits = {
      receiveDepth: integer('receiveDepth', 1, 1, DEPTH_MAX),
      sendDepth: integer('sendDepth', 1, 1, DEPTH_MAX),
      maxTransferBytes: integer('maxTransferBytes', 2 ** 31 - 1, 1, 2 ** 31 - 1),
      selectsBuffers: options.selectsBuffers ?? false,
      probes: options.probes ?? 'never',
    };
    const events = integer('eventCapacity', EVENT_CAPACITY, 2, EVENT_CAPACITY);
    const submissions = integer('submissionCapacity', SUBMISSION_CAPACITY, 2, SUBMISSION_CAPACITY);
    const regions = placeRegions(core, sizes, limits);
    const { u32 } = core;
    const capacity = (regions.operations + layout.Pool.capacity) >>> 2;
    const most = u32[capacity] as number;
    u32[capacity] = integer('maxOperations', most, 1, most);
    u32[(regions.worker + layout.Worker.eventCapacity) >>> 2] = events;
    u32[(regions.worker + layout.Worker.submissionCapacity) >>> 2] = submissions;
    if (core.u8.length - core.unreservedBytes > ADDRESS_LIMIT) {
      throw new OverlappedError('NO_BUFFERS', 'a loop lies within the first 2 GiB of the memory');
    }
    return new CompletionLoop(core, regions, { ...limits, receiveBytes: sizes.receiveBufferBytes });
  }

  /**
   * Describes connections; any number of them may share it. Returns its address.
   * @throws OverlappedError `INVALID_OPTION`; `NO_BUFFERS` when the memory is used up
   */
  profile(options: LoopProfileOptions): number {
    return writeLoopProfile(this.core, options, this.#limits);
  }

  // ------------------------------------------------------------ completions

  /**
   * Reports what became of a submission; the next turn sees to it. Not checked:
   * an unknown token is counted there, and a `result` above what was lent is the
   * backend's error.
   * @param result bytes, a handle, 0, or a negative ERROR_*
   * @param flags COMPLETION_MORE (1): further completions with this token follow;
   *   COMPLETION_BUFFER (2): `buffer` is a slot taken by `takeBuffer`
   * @param systemError the system's own error number
   * @throws OverlappedError `NO_BUFFERS` if more wait than operations can be pending
   */
  complete(
    token: number,
    result: number,
    flags = 0,
    buffer: number = layout.NOTHING,
    systemError = 0,
  ): void {
    const { worker } = this.#regions;
    const queued = this.core.exports.complete(worker, token, result, flags, buffer, systemError);
    if (queued < 0) throw OverlappedError.fromResult(queued, 'complete');
  }

  /** For a backend that selects buffers: a slot, lent until a completion carries it; undefined if none is free. */
  takeBuffer(): number | undefined {
    const slot = this.core.exports.bufferTake(this.#regions.worker);
    return slot < 0 ? undefined : slot;
  }

  /** Gives a buffer back that no completion carries. */
  returnBuffer(slot: number): void {
    this.core.exports.bufferReturn(this.#regions.worker, slot);
  }

  /** Offset in linear memory of a buffer's first byte. */
  bufferOffset(slot: number): number {
    return this.core.exports.poolAddress(this.#regions.buffers, slot) >>> 0;
  }

  // ------------------------------------------------------------ rounds

  /**
   * Handles completions as far as both rings have room, and shows their events.
   * What the events of the turn before borrowed must have been given back by `finish`.
   * @param nowMs monotonic, modulo 2^32
   * @returns how many events
   */
  turn(nowMs: number): number {
    const count = this.core.exports.turn(this.#regions.worker, nowMs >>> 0);
    this.events.show(count);
    return count;
  }

  /** Work is left for another round that no completion will announce. */
  get hasMore(): boolean {
    return this.core.u32[(this.#regions.worker + layout.Worker.more) >>> 2] !== 0;
  }

  /**
   * The events have been dispatched: takes back the bytes they borrowed, and
   * submits what follows. True if the ring was full: take the submissions and
   * call it again.
   */
  finish(): boolean {
    return this.core.exports.finish(this.#regions.worker) !== 0;
  }

  /**
   * Ends connections past a time limit of theirs; a look at every record.
   * @returns how many; a round is due if any
   */
  sweep(nowMs: number): number {
    return this.core.exports.sweep(this.#regions.worker, nowMs >>> 0);
  }

  // ------------------------------------------------------------ connections

  /**
   * Takes a record for a stream that is to be connected, a listener that is to
   * listen, or a datagram socket that is to be bound. The caller starts that
   * with its backend, because it alone knows the endpoint.
   * @throws OverlappedError `NO_BUFFERS` if no record is free
   */
  open(kind: keyof typeof KINDS, profile: number): LoopOpening {
    const { exports } = this.core;
    const { worker } = this.#regions;
    const connection = exports.connectionCreate(worker, KINDS[kind], profile);
    if (connection < 0) throw OverlappedError.fromResult(connection, 'open');
    const slot = exports.connectionCheck(worker, connection);
    const begins = kind === 'stream' ? layout.OPERATION_CONNECT : layout.OPERATION_LISTEN;
    const operation = exports.operationStart(worker, begins, slot);
    if (operation >= 0) return { connection, operation };
    exports.connectionDiscard(worker, slot);
    throw OverlappedError.fromResult(operation, 'open');
  }

  /**
   * Queues one message as a frame; the bytes are copied.
   * @returns false if the caller should wait for the drain event
   * @throws OverlappedError `CLOSED`, `NO_BUFFERS`, `FRAME_TOO_LONG` or
   *   `FRAME_MALFORMED`, nothing queued then; `STALE_TOKEN`
   */
  send(connection: number, message: Uint8Array): boolean {
    return this.#queue('send', connection, message);
  }

  /** Queues bytes without a frame around them. Otherwise as `send`. */
  sendRaw(connection: number, bytes: Uint8Array): boolean {
    return this.#queue('sendRaw', connection, bytes);
  }

  #queue(name: 'send' | 'sendRaw', connection: number, bytes: Uint8Array): boolean {
    const slot = this.#slot(connection, name);
    const { exports, u8 } = this.core;
    const { worker, scratch, arena } = this.#regions;
    const { length } = bytes;
    let at = scratch;
    if (bytes.buffer === u8.buffer) at = bytes.byteOffset;
    else if (length > SCRATCH_BYTES) at = exports.arenaAlloc(arena, length) >>> 0;
    if (at === 0) throw OverlappedError.fromResult(layout.ERROR_NO_BUFFERS, name);
    if (bytes.buffer !== u8.buffer) u8.set(bytes, at);
    const result = exports[name](worker, slot, at, length);
    if (at !== scratch && bytes.buffer !== u8.buffer) exports.arenaFree(arena, at);
    if (result < 0) throw OverlappedError.fromResult(result, name);
    return result === 1;
  }

  /**
   * Queues a received message as one to send, on this connection or another.
   * A large one is not copied where that can be had, but sent from where it
   * lies: between here and the last event of the round nobody may change it.
   * @param message `event.bytes()` of this round, whole
   * @returns as `send`
   * @throws as `send`
   */
  pass(connection: number, message: Uint8Array): boolean {
    const slot = this.#slot(connection, 'pass');
    const { exports, u8, i32, u32 } = this.core;
    if (message.buffer !== u8.buffer) {
      throw new OverlappedError('INVALID_OPTION', 'only bytes of this core can be passed on');
    }
    const { worker, replies } = this.#regions;
    i32[(replies + layout.Reply.connection) >>> 2] = slot;
    u32[(replies + layout.Reply.offset) >>> 2] = message.byteOffset;
    u32[(replies + layout.Reply.length) >>> 2] = message.length;
    // What is not taken is asked for again, to learn why.
    if (exports.sendList(worker, 0, 1) === 0) return this.#queue('send', connection, message);
    const record = this.#record(connection, 'pass');
    const state = u32[(record + layout.Connection.state) >>> 2] as number;
    return (state & layout.STATE_BLOCKED) === 0;
  }

  /**
   * Queues one datagram: `address` is the bytes of an Address record (family 0:
   * the connected peer). Results and errors as `send`.
   */
  sendDatagram(connection: number, address: Uint8Array, payload: Uint8Array): boolean {
    const slot = this.#slot(connection, 'sendDatagram');
    requireInteger(
      'the length of address',
      address.length,
      layout.ADDRESS_BYTES,
      layout.ADDRESS_BYTES,
    );
    const { exports, u8 } = this.core;
    const at = exports.datagramRoom(this.#regions.worker, slot, payload.length);
    if (at < 0) throw OverlappedError.fromResult(at, 'sendDatagram');
    u8.set(address, at);
    u8.set(payload, at + layout.ADDRESS_BYTES);
    return exports.datagramQueued(this.#regions.worker, slot) === 1;
  }

  /** Half-close: what is queued is sent, then this side ends. */
  end(connection: number): void {
    this.core.exports.connectionEnd(this.#regions.worker, this.#slot(connection, 'end'));
  }

  /** Sends what is queued, ends, drops what comes in, and closes at the peer's end. A round is due. */
  close(connection: number): void {
    this.core.exports.connectionClose(this.#regions.worker, this.#slot(connection, 'close'));
  }

  /** Resets: nothing more is sent or shown but close, with ABORTED. */
  abort(connection: number): void {
    const slot = this.#slot(connection, 'abort');
    this.core.exports.connectionAbort(this.#regions.worker, slot, layout.ERROR_ABORTED);
  }

  /** No message and no end is shown until `resume`, and no more bytes are taken from the system. */
  pause(connection: number): void {
    this.core.exports.connectionPause(this.#regions.worker, this.#slot(connection, 'pause'));
  }

  /** No more bytes are taken from the system until `resume`; what was taken is shown. */
  hold(connection: number): void {
    this.core.exports.connectionHold(this.#regions.worker, this.#slot(connection, 'hold'));
  }

  /** Ends `pause` and `hold`. True if something has waited: a round is due. */
  resume(connection: number): boolean {
    const slot = this.#slot(connection, 'resume');
    return this.core.exports.connectionResume(this.#regions.worker, slot) !== 0;
  }

  /** A listener that showed an error, and so stopped accepting, accepts again. */
  resumeListener(connection: number): void {
    const slot = this.#slot(connection, 'resumeListener');
    this.core.exports.listenerResume(this.#regions.worker, slot);
  }

  /** Token of the listener that accepted this connection, 0 if none did. */
  listenerOf(connection: number): number {
    const at = this.#record(connection, 'listenerOf') + layout.Connection.listenerToken;
    return this.core.f64[at >>> 3] as number;
  }

  /** The backend's number of it, -1 before it is open. */
  handleOf(connection: number): number {
    const at = this.#record(connection, 'handleOf') + layout.Connection.handle;
    return this.core.i32[at >>> 2] as number;
  }

  /** Bytes accepted by `send` and not yet sent. */
  queuedBytes(connection: number): number {
    const at = this.#record(connection, 'queuedBytes') + layout.Connection.queuedBytes;
    return this.core.u32[at >>> 2] as number;
  }

  /** For tests: numbers of the first receive and send, 0 to 2^32 - 1, before any was submitted. */
  startSequences(connection: number, read: number, write: number): void {
    const slot = this.#slot(connection, 'startSequences');
    this.core.exports.connectionSequences(this.#regions.worker, slot, read, write);
  }

  counters(): LoopCounters {
    const { exports, f64 } = this.core;
    const { port, connections, operations, buffers, arena } = this.#regions;
    const count = (name: CounterName) => f64[(port + layout.Port[name]) >>> 3] as number;
    return {
      connections: exports.poolInUse(connections),
      operations: exports.poolInUse(operations),
      buffers: exports.poolInUse(buffers),
      arenaBytes: exports.arenaUsed(arena) >>> 0,
      completed: count('completed'),
      stale: count('stale'),
      late: count('late'),
      rejected: count('rejected'),
      accepted: count('accepted'),
      connected: count('connected'),
      closed: count('closed'),
      failed: count('failed'),
      oversize: count('oversize'),
      timeouts: count('timeouts'),
      starved: count('starved'),
      datagramsReceived: count('datagramsReceived'),
      datagramsSent: count('datagramsSent'),
      submitted: count('submitted'),
      turns: count('turns'),
    };
  }

  #slot(connection: number, what: string): number {
    const slot = this.core.exports.connectionCheck(this.#regions.worker, connection);
    if (slot < 0) throw OverlappedError.fromResult(slot, what);
    return slot;
  }

  #record(connection: number, what: string): number {
    const slot = this.#slot(connection, what);
    return this.core.exports.poolAddress(this.#regions.connections, slot) >>> 0;
  }
}

type IntegerOption = Exclude<keyof CompletionLoopOptions, 'selectsBuffers' | 'probes'>;
type CounterName = Exclude<
  keyof LoopCounters,
  'connections' | 'operations' | 'buffers' | 'arenaBytes'
>;
