/** Takes CQEs: the core takes most of them by itself, the others are looked at here. */
import {
  COMPLETION_BUFFER,
  COMPLETION_MORE,
  ERROR_ABORTED,
  ERROR_CANCELED,
  ERROR_FRAME_TOO_LONG,
  ERROR_NO_BUFFERS,
  ERROR_RESET,
  ERROR_TIMED_OUT,
  NOTHING,
  OPERATION_ACCEPT,
  OPERATION_RECEIVE,
  OPERATION_RECEIVE_FROM,
  OPERATION_SEND,
  OPERATION_SOCKADDR,
  Operation,
  UringCqe,
  UringMessage,
} from '#generated/layout';
import { linuxErrno } from '../errno.ts';
import * as c from './constants.ts';
import { type Context, type Entry, NO_TOKEN } from './context.ts';
import { Listener } from './listener.ts';
import { slotOf } from './memory.ts';
import type { Openings } from './openings.ts';
import {
  TAG_ACCEPT,
  TAG_CONNECT,
  TAG_POST,
  TAG_SHIFT_HIGH,
  TAG_TRANSFER,
  TAG_WAKER,
} from './submitter.ts';

/** After one of these nothing that comes is the stream's clean end. */
const BREAKS: ReadonlySet<number> = new Set([ERROR_RESET, ERROR_ABORTED, ERROR_TIMED_OUT]);
const TOKEN_HIGH_MASK = 2 ** TAG_SHIFT_HIGH - 1;

export class Completions {
  readonly #context: Context;
  readonly #openings: Openings;

  constructor(context: Context, openings: Openings) {
    this.#context = context;
    this.#openings = openings;
  }

  /** Takes what there is. True if there was anything. */
  reap(): boolean {
    const { memory, ring } = this.#context;
    if (!ring.hasCompletions) return false;
    const tail = Atomics.load(memory.core.u32, ring.words.cqTail);
    for (;;) {
      const cqe = memory.native.uringReap(memory.port, tail) >>> 0;
      if (cqe === 0) return true;
      this.#take(cqe >>> 2);
    }
  }

  #take(word: number): void {
    const { u32, i32 } = this.#context.memory.core;
    const low = u32[word] as number;
    const high = u32[word + 1] as number;
    const result = i32[word + UringCqe.result / 4] as number;
    const flags = u32[word + UringCqe.flags / 4] as number;
    const token = (high & TOKEN_HIGH_MASK) * 2 ** 32 + low;
    switch (high >>> TAG_SHIFT_HIGH) {
      case TAG_TRANSFER:
        this.#transfer(token, result, flags);
        break;
      case TAG_ACCEPT:
        this.#accepted(token, result, flags);
        break;
      case TAG_CONNECT:
        if (!this.#openings.connected(slotOf(token), result)) this.#context.counts.stale++;
        break;
      case TAG_POST:
        this.#context.host.complete(token, 0);
        break;
      case TAG_WAKER:
        this.#context.onRing();
        break;
    }
  }

  #accepted(token: number, result: number, flags: number): void {
    const { memory, handles, counts, sockets } = this.#context;
    const record = memory.recordOf(slotOf(token));
    const isAccept = memory.tokenOf(record) === token && memory.kindOf(record) === OPERATION_ACCEPT;
    const owner = isAccept ? handles.get(memory.handleOf(record))?.owner : undefined;
    if (owner instanceof Listener) owner.completed(result, flags);
    else {
      counts.stale++;
      if (result < 0) return;
      sockets.open++;
      sockets.close(result);
    }
  }

  /** A receive, a send or a datagram that failed, or whose handle is watched. */
  #transfer(token: number, result: number, flags: number): void {
    const { memory, handles, host, counts } = this.#context;
    const record = memory.recordOf(slotOf(token));
    const hasBuffer = (flags & c.IORING_CQE_F_BUFFER) !== 0;
    const buffer = hasBuffer ? memory.takeBack(flags >>> c.IORING_CQE_BUFFER_SHIFT) : NOTHING;
    const entry =
      memory.tokenOf(record) === token ? handles.get(memory.handleOf(record)) : undefined;
    if (entry === undefined) {
      counts.stale++;
      if (buffer >= 0) host.returnBuffer(buffer);
      return;
    }
    if (buffer >= 0) {
      host.complete(token, Math.max(result, 0), COMPLETION_MORE | COMPLETION_BUFFER, buffer, 0);
    }
    if ((flags & c.IORING_CQE_F_MORE) !== 0) return;
    const kind = memory.kindOf(record);
    memory.count(entry.handle, -1);
    if (kind === OPERATION_SEND) memory.countSend(entry.handle, -1);
    this.#finish(entry, record, token, kind, result);
    this.#settle(entry);
  }

  #finish(entry: Entry, record: number, token: number, kind: number, result: number): void {
    const { host } = this.#context;
    if (kind === OPERATION_RECEIVE && (result > 0 || result === -c.ENOBUFS)) {
      // It ended with bytes, or for want of a buffer: the loop arms another one.
      host.complete(token, entry.closing ? ERROR_CANCELED : ERROR_NO_BUFFERS);
    } else if (result < 0 && entry.disconnected) {
      host.complete(token, ERROR_CANCELED, 0, NOTHING, c.ECANCELED);
    } else if (result < 0) {
      this.#remember(entry, kind, -result);
      host.complete(token, linuxErrno.resultOf(-result), 0, NOTHING, -result);
    } else if (kind === OPERATION_RECEIVE && entry.failure !== 0) {
      // What failed does not end cleanly afterwards.
      host.complete(token, ERROR_RESET, 0, NOTHING, entry.failure);
    } else if (kind === OPERATION_RECEIVE_FROM) {
      host.complete(token, this.#datagram(record, result));
    } else host.complete(token, result);
  }

  #datagram(record: number, result: number): number {
    const { core, native } = this.#context.memory;
    const offset = core.u32[(record + Operation.offset) >>> 2] as number;
    native.sockaddrRead(record + OPERATION_SOCKADDR, offset, c.AF_INET6);
    const flags = core.u32[(record + UringMessage.flags) >>> 2] as number;
    return (flags & c.MSG_TRUNC) === 0 ? result : ERROR_FRAME_TOO_LONG;
  }

  /**
   * A stream that broke stays broken. The system tells of a reset only once: if
   * a send hears of it, the next receive looks like the peer's end.
   */
  #remember(entry: Entry, kind: number, code: number): void {
    if (entry.kind !== 'stream' || entry.failure !== 0) return;
    const isReset = kind === OPERATION_SEND && code === c.EPIPE && !entry.sendEnded;
    if (!isReset && !BREAKS.has(linuxErrno.resultOf(code))) return;
    entry.failure = isReset ? c.ECONNRESET : code;
    this.#context.memory.watch(entry.handle);
  }

  /** What waited for this completion. */
  #settle(entry: Entry): void {
    if (entry.shutdownToken !== NO_TOKEN) this.#context.shutDown(entry, entry.shutdownToken);
    this.#context.settleClose(entry);
  }
}
