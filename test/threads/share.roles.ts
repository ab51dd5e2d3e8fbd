/**
 * A shared port with real threads: one plays the I/O thread and the network
 * behind it, the others run handlers. Every connection's stream is a count, and
 * so is what comes back.
 */
import * as layout from '#generated/layout';
import type { Core } from '../../src/core/index.ts';
import { attachWorker, type Regions } from '../../src/core/regions.ts';

/** A message: who made it (0: the peer; else the worker that posted it), then its number. */
export const MESSAGE_BYTES = 8;
/** What one receive gets: messages lie across receives. */
const RECEIVE_BYTES = 12;
/** The user's part of a connection's record: a handler is at work, and the number that comes next. */
export const STATE_BYTES = 8;

export interface ShareTask {
  readonly regions: Regions;
  readonly profile: number;
  readonly connections: number;
  /** Messages of each peer. */
  readonly messages: number;
  /** Bytes of each receive: as RECEIVE_BYTES, or whole messages. */
  readonly receiveBytes?: number;
  /** Whether workers also post messages to connections that others have. */
  readonly posts: boolean;
  readonly seed: number;
}

export interface WorkerOutcome {
  readonly handled: number;
  /** Messages that were not the next of their connection. */
  readonly disorders: number;
  /** Handlers that found another one at work on their connection. */
  readonly overlaps: number;
  readonly posted: number;
  readonly closed: number;
}

function randomFrom(seed: number): (limit: number) => number {
  let state = (seed + 1) * 0x9e3779b9;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % limit;
  };
}

/** The I/O thread sleeps on this word, and is woken where the core says so. */
const ioWord = ({ sharing }: Regions) =>
  ((sharing?.address as number) + layout.SharedPort.io) >>> 2;

export function shareWorker(core: Core, task: ShareTask & { index: number }): WorkerOutcome {
  const { exports, u32, i32 } = core;
  const own = attachWorker(task.regions, task.index);
  const random = randomFrom(task.seed * 17 + task.index);
  const io = ioWord(own);
  const more = (own.worker + layout.Worker.more) >>> 2;
  const outcome = { handled: 0, disorders: 0, overlaps: 0, posted: 0, closed: 0 };
  /** Numbers of what this worker posted, by slot. */
  const posted = new Map<number, number>();
  const tokens: number[] = [];
  const wake = (due: number) => {
    if (due !== 0) Atomics.notify(i32, io);
  };
  const state = (slot: number) =>
    ((exports.poolAddress(own.connections, slot) >>> 0) + own.stateOffset) >>> 2;

  const handle = (slot: number, offset: number) => {
    const busy = state(slot);
    if (Atomics.exchange(i32, busy, task.index) !== 0) outcome.overlaps++;
    const number = core.u8.slice(offset, offset + MESSAGE_BYTES);
    const value = new DataView(number.buffer).getUint32(4, true);
    if (value !== u32[busy + 1]) outcome.disorders++;
    u32[busy + 1] = value + 1;
    for (let spin = random(30); spin > 0; spin--) Atomics.load(i32, busy);
    const result = exports.send(own.worker, slot, offset, MESSAGE_BYTES);
    if (result < 0) throw new Error(`send: ${result}`);
    if (Atomics.exchange(i32, busy, 0) !== task.index) outcome.overlaps++;
    outcome.handled++;
  };

  const post = () => {
    const token = tokens[random(tokens.length)] as number;
    const slot = token % 2 ** 20;
    const number = posted.get(slot) ?? 0;
    if (number >= task.messages / 4) return;
    const view = new DataView(core.memory.buffer, own.scratch, MESSAGE_BYTES);
    view.setUint32(0, task.index, true);
    view.setUint32(4, number, true);
    const { worker, scratch } = own;
    const result = exports.postCall(worker, token, layout.CALL_SEND, scratch, MESSAGE_BYTES);
    if (result === layout.ERROR_NO_BUFFERS) return;
    if (result < 0) throw new Error(`post: ${result}`);
    posted.set(slot, number + 1);
    outcome.posted++;
    wake(exports.ioWake(own.worker));
  };

  for (;;) {
    const count = exports.turn(own.worker, 1);
    wake(exports.handOver(own.worker));
    for (let index = 0; index < count; index++) {
      const word = (own.events + index * layout.EVENT_BYTES) >>> 2;
      const slot = i32[word + 1] as number;
      const kind = u32[word];
      if (kind === layout.EVENT_OPEN) {
        const record = exports.poolAddress(own.connections, slot) >>> 0;
        tokens.push(core.f64[record >>> 3] as number);
      } else if (kind === layout.EVENT_MESSAGE) {
        handle(slot, u32[word + 2] as number);
        if (task.posts && random(4) === 0 && tokens.length > 0) post();
      } else if (kind === layout.EVENT_CLOSE) outcome.closed++;
      else if (kind === layout.EVENT_ERROR) throw new Error(`a connection fails: ${i32[word + 2]}`);
    }
    let again: number;
    do {
      again = exports.finish(own.worker);
      wake(exports.handOver(own.worker));
    } while (again !== 0);
    const kept = exports.releaseClaims(own.worker);
    if (u32[more] !== 0) continue;
    const waited = exports.queuePopStep(own.completions, 0, kept > 0 ? 1 : 1000);
    if (waited === layout.ERROR_CLOSED) return outcome;
  }
}

interface Peer {
  readonly handle: number;
  /** Bytes given to receives so far. */
  given: number;
  /** The close that waits for the rest. */
  closeToken: number;
  pending: number;
  /** What came back: bytes of an unfinished message, and the next number of each maker. */
  readonly back: number[];
  readonly next: Map<number, number>;
}

interface Due {
  readonly peer: Peer;
  readonly token: number;
  readonly result: number;
  readonly flags: number;
  readonly buffer: number;
}

export interface DriverOutcome {
  /** Messages that came back, of peers and of posts. */
  readonly echoed: number;
  readonly posted: number;
  /** Of these, not the next of their maker on their connection. */
  readonly disorders: number;
  readonly left: { operations: number; buffers: number; connections: number; arenaBytes: number };
}

/** The I/O thread: accepts, gives each receive the next bytes, and completes in any order. */
export function shareDriver(core: Core, task: ShareTask): DriverOutcome {
  const { exports, u32, i32, f64, u8 } = core;
  const own = attachWorker(task.regions, 0);
  const { worker } = own;
  const receiveBytes = task.receiveBytes ?? RECEIVE_BYTES;
  const random = randomFrom(task.seed);
  const io = ioWord(own);
  const selects = ((u32[(own.port + layout.Port.flags) >>> 2] as number) & 1) !== 0;
  const total = task.messages * MESSAGE_BYTES;
  const peers = new Map<number, Peer>();
  const due: Due[] = [];
  const armed = new Map<Peer, number>();
  /** Receives behind the last bytes: nobody ends before all is back, and so before all is posted. */
  const ends: (() => void)[] = [];
  let echoed = 0;
  let posted = 0;
  let disorders = 0;
  let closed = 0;

  const listener = exports.connectionCreate(worker, layout.CONNECTION_LISTENER, task.profile);
  const listenerSlot = exports.connectionCheck(worker, listener);
  const opening = exports.operationStart(worker, layout.OPERATION_LISTEN, listenerSlot);
  exports.complete(worker, opening, 1, 0, layout.NOTHING, 0);

  const fill = (peer: Peer, offset: number, length: number): number => {
    let count = 0;
    const view = new DataView(core.memory.buffer);
    const message = new DataView(new ArrayBuffer(MESSAGE_BYTES));
    for (; count < length && peer.given < total; count++, peer.given++) {
      message.setUint32(4, Math.floor(peer.given / MESSAGE_BYTES), true);
      view.setUint8(offset + count, message.getUint8(peer.given % MESSAGE_BYTES));
    }
    return count;
  };

  const wire = (peer: Peer, offset: number, length: number) => {
    for (let at = 0; at < length; at++) {
      peer.back.push(u8[offset + at] as number);
      if (peer.back.length < MESSAGE_BYTES) continue;
      const view = new DataView(Uint8Array.from(peer.back.splice(0)).buffer);
      const maker = view.getUint32(0, true);
      const number = view.getUint32(4, true);
      if (number !== (peer.next.get(maker) ?? 0)) disorders++;
      peer.next.set(maker, number + 1);
      if (maker === 0) echoed++;
      else posted++;
    }
  };

  const accept = (token: number) => {
    for (let handle = 100; handle < 100 + task.connections; handle++) {
      peers.set(handle, {
        handle,
        given: 0,
        closeToken: 0,
        pending: 0,
        back: [],
        next: new Map(),
      });
      exports.complete(worker, token, handle, layout.COMPLETION_MORE, layout.NOTHING, 0);
    }
  };

  const push = (peer: Peer, token: number, result: number, flags = 0, buffer = layout.NOTHING) => {
    due.push({ peer, token, result, flags, buffer });
  };

  const submitted = (at: number) => {
    const fields = layout.Submission;
    const word = (field: number) => u32[(at + field) >>> 2] as number;
    const kind = word(fields.kind);
    const token = f64[(at + fields.token) >>> 3] as number;
    if (kind === layout.OPERATION_ACCEPT) {
      accept(token);
      return;
    }
    const peer = peers.get(word(fields.handle)) as Peer;
    const offset = word(fields.offset);
    const length = word(fields.length);
    if (kind === layout.OPERATION_CANCEL) return;
    if (kind === layout.OPERATION_CLOSE) {
      peer.closeToken = token;
      return;
    }
    peer.pending++;
    if (kind === layout.OPERATION_RECEIVE && selects) armed.set(peer, token);
    else if (kind === layout.OPERATION_RECEIVE) {
      const count = fill(peer, offset, Math.min(length, receiveBytes));
      if (count > 0) push(peer, token, count);
      else ends.push(() => push(peer, token, 0));
    } else if (kind === layout.OPERATION_SEND) {
      wire(peer, offset, length);
      push(peer, token, length);
    } else push(peer, token, 0);
  };

  const take = () => {
    const field = (worker + layout.Worker.submissionCount) >>> 2;
    const count = u32[field] as number;
    for (let index = 0; index < count; index++) {
      submitted(own.submissions + index * layout.SUBMISSION_BYTES);
    }
    u32[field] = 0;
  };

  /** A backend that selects: completes with a buffer, again and again, in order. */
  const feed = (peer: Peer, token: number) => {
    for (let burst = 1 + random(4); burst > 0; burst--) {
      if (peer.given >= total) {
        armed.delete(peer);
        ends.push(() => push(peer, token, 0));
        return;
      }
      const buffer = exports.bufferTake(worker);
      if (buffer < 0) return;
      const count = fill(peer, exports.poolAddress(own.buffers, buffer) >>> 0, receiveBytes);
      const flags = layout.COMPLETION_MORE | layout.COMPLETION_BUFFER;
      exports.complete(worker, token, count, flags, buffer, 0);
    }
  };

  while (closed < task.connections) {
    const count = exports.turn(worker, 1);
    for (let index = 0; index < count; index++) {
      const word = (own.events + index * layout.EVENT_BYTES) >>> 2;
      const kind = u32[word] as number;
      if (kind === layout.EVENT_ERROR) throw new Error(`the listener fails: ${i32[word + 2]}`);
    }
    let again: number;
    do {
      again = exports.finish(worker);
      while (exports.takeSubmissions(worker) > 0) take();
    } while (again !== 0);
    exports.releaseClaims(worker);
    for (const [peer, token] of armed) feed(peer, token);
    if (echoed === task.connections * task.messages) for (const end of ends.splice(0)) end();
    const idle = due.length === 0 && u32[(worker + layout.Worker.more) >>> 2] === 0;
    for (let many = Math.min(due.length, 1 + random(64)); many > 0; many--) {
      const at = random(due.length);
      const item = due[at] as Due;
      due[at] = due.at(-1) as Due;
      due.pop();
      item.peer.pending--;
      exports.complete(worker, item.token, item.result, item.flags, item.buffer, 0);
    }
    for (const peer of peers.values()) {
      // A close completes last.
      if (peer.closeToken === 0 || peer.pending > 0) continue;
      exports.complete(worker, peer.closeToken, 0, 0, layout.NOTHING, 0);
      peers.delete(peer.handle);
      closed++;
    }
    if (idle) Atomics.wait(i32, io, layout.IO_QUIET, 100);
  }
  const record = (exports.poolAddress(own.connections, listenerSlot) >>> 0) >>> 2;
  for (let waits = 0; i32[record + layout.Connection.accepted / 4] !== 0 && waits < 2000; waits++) {
    exports.turn(worker, 1);
    exports.finish(worker);
    exports.releaseClaims(worker);
    Atomics.wait(i32, io, layout.IO_QUIET, 5);
  }
  exports.queueClose(own.completions);
  // A worker that has taken the last CLOSE frees its record a little later.
  for (let waits = 0; exports.poolInUse(own.connections) > 1 && waits < 2000; waits++) {
    Atomics.wait(i32, io, Atomics.load(i32, io), 5);
  }
  return {
    echoed,
    posted,
    disorders,
    left: {
      operations: exports.poolInUse(own.operations),
      buffers: exports.poolInUse(own.buffers),
      connections: exports.poolInUse(own.connections),
      arenaBytes: exports.arenaUsed(own.arena),
    },
  };
}
