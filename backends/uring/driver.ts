/** The backend `uring` at work: a pair of rings and the sockets on them. */
import { setTimeout } from 'node:timers';
import * as layout from '#generated/layout';
import type {
  BackendCounters,
  BackendHost,
  DatagramOptions,
  Driver,
  Endpoint,
  Leftovers,
  Limits,
  ListenerOptions,
  SocketAddress,
  StreamOptions,
} from '../backend.ts';
import { now, setTimer } from '../clock.ts';
import { linuxErrno } from '../errno.ts';
import { Completions } from './completions.ts';
import { IORING_OP_NOP } from './constants.ts';
import { Context, type Entry, NO_TOKEN } from './context.ts';
import { Listener } from './listener.ts';
import { NativeMemory, slotOf } from './memory.ts';
import { Openings } from './openings.ts';
import type { CheckedOptions } from './options.ts';
import { Pump } from './pump.ts';
import type { Remains } from './reclaim.ts';
import { Ring } from './ring.ts';
import { Sockets } from './sockets.ts';
import { TAG_POST, TAG_TRANSFER } from './submitter.ts';
import type { System } from './system.ts';

/** How long `dispose` waits for completions that are due. */
const DISPOSE_WAIT_MS = 3000;
const TRANSFER_BYTES_MAX = 2 ** 20;

const ENTRY_WORDS = layout.SUBMISSION_BYTES / 4;
const { kind: KIND, handle: HANDLE, token: TOKEN, offset: OFFSET } = layout.Submission;
const { length: LENGTH, flags: FLAGS, operation: OPERATION } = layout.Submission;

/**
 * Drivers with a ring. The kernel writes to their memory, so it must not be
 * collected, even if nobody holds the port any more.
 */
const alive = new Set<UringDriver>();

export class UringDriver implements Driver {
  readonly limits: Limits = {
    receiveDepth: 1,
    sendDepth: 1,
    maxTransferBytes: TRANSFER_BYTES_MAX,
    selectsBuffers: true,
  };
  readonly blocks = true;
  readonly #context: Context;
  readonly #openings: Openings;
  readonly #pump: Pump;
  #isStarted = false;

  /** @throws Error in words for a person: no ring can be had */
  constructor(host: BackendHost, system: System, options: CheckedOptions) {
    const memory = new NativeMemory(host, system, options);
    const ring = new Ring(system, memory, options);
    const sockets = new Sockets(system, memory);
    const context = new Context(host, system, options, memory, ring, sockets);
    this.#context = context;
    this.#openings = new Openings(context);
    const completions = new Completions(context, this.#openings);
    try {
      ring.registerBuffers(options.providedBuffers);
      this.#pump = new Pump(context, {
        reap: () => completions.reap(),
        release: () => {
          const { hasReports } = context;
          if (hasReports) context.release();
          return hasReports;
        },
        isOpen: () => this.#isOpen,
      });
    } catch (error) {
      ring.close();
      throw error;
    }
    alive.add(this);
  }

  // ------------------------------------------------------------ loop

  attach(ready: () => void): void {
    this.#start();
    this.#pump.attach(ready);
  }

  /** With the first call: the loop's records are placed after the driver is made. */
  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#context.memory.attach(this.#context.host, this.#context.options);
  }

  wait(timeoutMs: number): boolean {
    this.#start();
    return this.#pump.wait(timeoutMs);
  }

  wake(): void {
    this.#pump.wake();
  }

  /**
   * With `blocking`: what another thread of the process gives to `openWaker`, to
   * end a wait of this one.
   */
  get waker(): number | undefined {
    return this.#pump.waker;
  }

  flush(): void {
    this.#pump.flush();
  }

  /** What dies with no thread: see `reclaim`. */
  get remains(): Remains {
    const { memory } = this.#context;
    const { descriptors, handleTable, handleCapacity } = memory;
    return { descriptors, handles: handleTable, handleCount: handleCapacity };
  }

  get #isOpen(): boolean {
    const { handles, hasReports } = this.#context;
    return handles.open > 0 || this.#openings.pending > 0 || hasReports;
  }

  // ------------------------------------------------------------ operations

  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void {
    this.#start();
    this.#openings.listen(token, endpoint, options);
  }

  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void {
    this.#start();
    this.#openings.bind(token, endpoint, options);
  }

  connect(token: number, endpoint: Endpoint, options: StreamOptions): void {
    this.#start();
    this.#openings.connect(token, endpoint, options);
  }

  submit(address: number, count: number): void {
    const { memory, submitter } = this.#context;
    if (submitter.isBlocked) {
      this.#putOff(address, 0, count);
      return;
    }
    const { uringPrepare } = memory.native;
    let at = 0;
    for (;;) {
      // Transfers are the core's; it stops at what is not.
      at = uringPrepare(memory.port, address, at, count);
      if (at >= count) return;
      if (this.#submitOther((address >>> 2) + at * ENTRY_WORDS)) at++;
      else if (!submitter.makeRoom()) {
        this.#putOff(address, at, count);
        return;
      }
    }
  }

  /** The kernel takes no more now: a copy of what is left goes on in a later pass. */
  #putOff(address: number, from: number, count: number): void {
    const { memory, submitter } = this.#context;
    const { u8 } = memory.core;
    for (let at = from; at < count; at++) {
      const start = address + at * layout.SUBMISSION_BYTES;
      const copy = u8.slice(start, start + layout.SUBMISSION_BYTES);
      const again = (): void => {
        u8.set(copy, memory.single);
        if (memory.native.uringPrepare(memory.port, memory.single, 0, 1) === 1) return;
        if (this.#submitOther(memory.single >>> 2)) return;
        if (submitter.makeRoom()) again();
        else submitter.wait(again);
      };
      submitter.wait(again);
    }
  }

  /** An entry that the core left. False if it is a transfer that found the ring full. */
  #submitOther(word: number): boolean {
    const { u32, i32, f64 } = this.#context.memory.core;
    const handle = i32[word + HANDLE / 4] as number;
    const token = f64[(word + TOKEN / 4) >>> 1] as number;
    switch (u32[word + KIND / 4]) {
      case layout.OPERATION_ACCEPT:
        this.accept(token, handle);
        return true;
      case layout.OPERATION_SHUTDOWN:
        this.shutdown(token, handle);
        return true;
      case layout.OPERATION_CANCEL:
        this.cancel(token);
        return true;
      case layout.OPERATION_CLOSE:
        this.close(token, handle, u32[word + FLAGS / 4] === layout.CLOSE_RESET);
        return true;
      case layout.OPERATION_POST:
        this.post(token);
        return true;
    }
    if (this.#context.memory.takesOperations(handle)) return false;
    this.#context.report(token, layout.ERROR_CLOSED);
    return true;
  }

  receive(token: number, handle: number, offset: number, length: number): void {
    this.#submitOne(layout.OPERATION_RECEIVE, token, handle, offset, length);
  }

  send(token: number, handle: number, offset: number, length: number): void {
    this.#submitOne(layout.OPERATION_SEND, token, handle, offset, length);
  }

  receiveFrom(token: number, handle: number, offset: number, length: number): void {
    this.#submitOne(layout.OPERATION_RECEIVE_FROM, token, handle, offset, length);
  }

  sendTo(token: number, handle: number, offset: number, length: number): void {
    this.#submitOne(layout.OPERATION_SEND_TO, token, handle, offset, length);
  }

  #submitOne(kind: number, token: number, handle: number, offset: number, length: number): void {
    const { memory } = this.#context;
    const { u32, i32, f64 } = memory.core;
    const at = memory.single;
    if (!memory.takesOperations(handle)) {
      this.#context.report(token, layout.ERROR_CLOSED);
      return;
    }
    u32[(at + KIND) >>> 2] = kind;
    i32[(at + HANDLE) >>> 2] = handle;
    f64[(at + TOKEN) >>> 3] = token;
    u32[(at + OFFSET) >>> 2] = offset;
    u32[(at + LENGTH) >>> 2] = length;
    u32[(at + FLAGS) >>> 2] = 0;
    u32[(at + OPERATION) >>> 2] = slotOf(token);
    this.submit(at, 1);
  }

  post(token: number): void {
    const { submitter } = this.#context;
    submitter.inOrder(() => {
      if (submitter.put({ opcode: IORING_OP_NOP, fd: -1, tag: TAG_POST, token })) return;
      submitter.wait(() => this.post(token));
    });
  }

  accept(token: number, handle: number): void {
    const entry = this.#entryOf(token, handle);
    if (entry === undefined) return;
    const { owner } = entry;
    if (owner instanceof Listener && owner.token === NO_TOKEN) owner.arm(token);
    else this.#context.report(token, layout.ERROR_INVALID_OPTION);
  }

  shutdown(token: number, handle: number): void {
    this.#context.submitter.inOrder(() => {
      const entry = this.#entryOf(token, handle);
      if (entry !== undefined) this.#context.shutDown(entry, token);
    });
  }

  cancel(token: number): void {
    const { memory, handles, submitter } = this.#context;
    if (this.#openings.cancel(token)) return;
    submitter.inOrder(() => {
      const record = memory.recordOf(slotOf(token));
      if (memory.tokenOf(record) !== token) return;
      const entry = handles.get(memory.handleOf(record));
      if (entry === undefined || entry.closing) return;
      if (entry.owner instanceof Listener) {
        if (entry.owner.token === token) entry.owner.cancel();
      } else if (memory.pendingOf(entry.handle) > 0) {
        this.#context.cancelOperation(token, TAG_TRANSFER);
      }
    });
  }

  close(token: number, handle: number, reset: boolean): void {
    this.#context.submitter.inOrder(() => {
      const entry = this.#entryOf(token, handle);
      if (entry === undefined) return;
      entry.closeToken = token;
      this.#context.closeHandle(entry, reset);
    });
  }

  /** The open socket behind a handle; without one the operation fails. */
  #entryOf(token: number, handle: number): Entry | undefined {
    const entry = this.#context.handles.get(handle);
    if (entry !== undefined && !entry.closing) return entry;
    this.#context.report(token, layout.ERROR_CLOSED);
    return undefined;
  }

  // ------------------------------------------------------------ handles

  localAddress(handle: number): SocketAddress | undefined {
    const entry = this.#context.handles.get(handle);
    if (entry === undefined) return undefined;
    return pathAddress(entry) ?? this.#context.sockets.localAddress(entry.fd);
  }

  remoteAddress(handle: number): SocketAddress | undefined {
    const entry = this.#context.handles.get(handle);
    if (entry === undefined || entry.kind === 'listener') return undefined;
    entry.remote ??= pathAddress(entry) ?? this.#context.sockets.remoteAddress(entry.fd);
    return entry.remote;
  }

  configure(handle: number, options: StreamOptions): void {
    const entry = this.#context.handles.get(handle);
    if (entry?.kind === 'stream' && entry.family !== 'path' && !entry.closing) {
      this.#context.sockets.configure(entry.fd, options);
    }
  }

  setReferenced(handle: number, referenced: boolean): void {
    const entry = this.#context.handles.get(handle);
    if (entry !== undefined) this.#context.setReferenced(entry, referenced);
  }

  systemErrorName(systemError: number): string | undefined {
    return linuxErrno.nameOf(systemError);
  }

  // ------------------------------------------------------------ time, end

  now(): number {
    return now();
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    return setTimer(delayMs, callback);
  }

  counters(): BackendCounters {
    const { counts, handles, sockets, memory, ring } = this.#context;
    return {
      ...counts,
      handlesOpen: handles.open,
      socketsOpen: sockets.open,
      buffersProvided: memory.provided,
      overflows: ring.overflows,
    };
  }

  async dispose(): Promise<Leftovers> {
    const { handles, memory, ring, host } = this.#context;
    this.#closeAll();
    const deadline = now() + DISPOSE_WAIT_MS;
    while (this.#isOpen && now() < deadline) {
      // Also what was accepted meanwhile.
      this.#closeAll();
      if (this.#context.options.blocking) this.#pump.wait(1);
      else this.#pump.wake();
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
    }
    await this.#pump.stop();
    this.#context.release();
    const left = { operations: this.#pendingOperations, handles: handles.open };
    if (left.operations === 0) {
      ring.close();
      for (const slot of memory.takeBackAll()) host.returnBuffer(slot);
      alive.delete(this);
    }
    return left;
  }

  #closeAll(): void {
    this.#openings.cancelAll();
    for (const entry of this.#context.handles.list()) {
      // What connects comes back by being called off.
      if (!entry.closing && !this.#openings.has(entry)) this.#context.closeHandle(entry, true);
    }
    this.flush();
  }

  /** Operations that the kernel still has. */
  get #pendingOperations(): number {
    const { handles, memory } = this.#context;
    let pending = this.#openings.pending;
    for (const { handle } of handles.list()) pending += memory.pendingOf(handle);
    return pending;
  }
}

function pathAddress({ path }: Entry): SocketAddress | undefined {
  return path === undefined ? undefined : { address: path, port: 0, family: 'path' };
}
