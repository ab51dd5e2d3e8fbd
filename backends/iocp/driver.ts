/** The backend `iocp` at work: one completion port and the sockets on it. */
import process from 'node:process';
import { setTimeout } from 'node:timers';
import * as layout from '#generated/layout';
import { OverlappedError } from '../../src/errors.ts';
import type {
  AcceptedSocket,
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
import { AcceptTable } from './accepts.ts';
import { Adopter } from './adopt.ts';
import * as c from './constants.ts';
import { Context, type Entry, NO_TOKEN } from './context.ts';
import type { Dequeuing } from './dequeuer.ts';
import { classifyWinsock, winsockName, winsockOfWin32 } from './errors.ts';
import { Listener } from './listener.ts';
import { NativeMemory } from './memory.ts';
import { Openings } from './openings.ts';
import type { CheckedOptions } from './options.ts';
import { Pump } from './pump.ts';
import type { Remains } from './reclaim.ts';
import { Sockets, WinsockError } from './sockets.ts';
import type { System } from './system.ts';
import { Transfers } from './transfers.ts';

/** How long `dispose` waits for packets that are due. */
const DISPOSE_WAIT_MS = 3000;
/** Most receives pending on a connection: what an in-order store holds. */
const RECEIVE_DEPTH_MAX = 64;
const TRANSFER_BYTES_MAX = 2 ** 20;
/** More threads than take packets from a port, those of the host's pool included. */
const CONCURRENCY_UNLIMITED = 0xffff;

const ENTRY_WORDS = layout.SUBMISSION_BYTES / 4;
const { kind: KIND, handle: HANDLE, token: TOKEN, offset: OFFSET } = layout.Submission;
const { length: LENGTH, flags: FLAGS, operation: OPERATION } = layout.Submission;

/**
 * Drivers with something pending. The kernel writes to their memory, so it must
 * not be collected, even if nobody holds the port any more.
 */
const alive = new Set<IocpDriver>();
let watchesExit = false;

/** Node joins its threads as it exits: one that waits for a packet would keep it for ever. */
function endWaitsAtExit(): void {
  if (watchesExit) return;
  watchesExit = true;
  process.on('exit', () => {
    for (const driver of alive) driver.interrupt();
  });
}

export class IocpDriver implements Driver {
  readonly limits: Limits;
  readonly blocks = true;
  readonly #context: Context;
  readonly #transfers: Transfers;
  readonly #accepts = new AcceptTable();
  readonly #openings: Openings;
  readonly #pump: Pump;
  /** Listeners whose adopted connections are to be reported. */
  readonly #adopting = new Set<Adopter>();
  /** A ring of one entry: for those who submit by calls. */
  readonly #single: number;
  #started = false;

  constructor(host: BackendHost, system: System, options: CheckedOptions) {
    const memory = new NativeMemory(host, system.koffi);
    // Where threads share the port, one that does not come back must not count as one that runs.
    const concurrency = memory.seats === undefined ? 0 : CONCURRENCY_UNLIMITED;
    const port = system.win32.CreateIoCompletionPort(c.INVALID_HANDLE_VALUE, 0, 0, concurrency);
    if (port === 0) {
      const code = winsockOfWin32(system.win32.GetLastError());
      const result = classifyWinsock(code, { asked: false });
      throw OverlappedError.fromResult(result, 'CreateIoCompletionPort', code, winsockName(code));
    }
    const sockets = new Sockets(system, memory);
    const context = new Context(host, system, options, memory, sockets, port);
    this.#context = context;
    this.#transfers = new Transfers(context);
    this.#openings = new Openings(context, this.#transfers, this.#accepts);
    this.#single = host.core.reserve(layout.SUBMISSION_BYTES);
    this.#pump = new Pump(context, {
      packets: (entries, count) => this.#packets(entries, count),
      release: () => this.#release(),
      isOpen: () => this.#isOpen,
    });
    this.limits = {
      receiveDepth: RECEIVE_DEPTH_MAX,
      defaultReceiveDepth: options.receiveDepth,
      sendDepth: options.sendDepth,
      maxTransferBytes: TRANSFER_BYTES_MAX,
      selectsBuffers: false,
      probes: options.zeroByteReceives,
    };
    alive.add(this);
    endWaitsAtExit();
  }

  // ------------------------------------------------------------ loop

  attach(ready: () => void): void {
    this.#start();
    this.#pump.attach(ready);
  }

  wait(timeoutMs: number): boolean {
    this.#start();
    return this.#pump.wait(timeoutMs);
  }

  /** With the first call: the loop's records are placed after the driver is made. */
  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#context.memory.attach(this.#context.host);
    this.#transfers.attach();
  }

  wake(): void {
    this.#pump.wake();
  }

  /** Ends a wait on another thread, as the process ends. */
  interrupt(): void {
    this.#pump.interruptForGood();
  }

  /** Every operation was begun as it was submitted. */
  flush(): void {}

  get #isOpen(): boolean {
    const { handles, hasReports } = this.#context;
    return (
      handles.open > 0 || this.#openings.pending > 0 || hasReports || this.#transfers.hasDirect
    );
  }

  #release(): boolean {
    const looked = this.#context.memory.seats?.takeLooks(this.#look) ?? false;
    const { hasReports } = this.#context;
    const { hasDirect } = this.#transfers;
    if (hasDirect) this.#transfers.releaseDirect();
    if (hasReports) this.#context.release();
    const hasAdopted = this.#adopting.size > 0;
    for (const adopter of this.#adopting) adopter.report();
    return hasReports || hasDirect || looked || hasAdopted;
  }

  /** What a worker dequeued and left to this thread. */
  readonly #look = (overlapped: number, key: number, bytes: number): void => {
    if (overlapped !== 0) {
      this.#packet(overlapped, key, bytes);
      return;
    }
    const entry = this.#context.handles.get(key - layout.IOCP_KEY_HANDLES);
    if (entry !== undefined) this.#context.settleClose(entry);
  };

  #packets(entries: number, count: number): void {
    const { memory } = this.#context;
    const { iocpReap } = memory.native;
    memory.useEntries(entries);
    for (let at = 0; ; at++) {
      at = iocpReap(memory.port, at, count);
      if (at >= count) return;
      const entry = entries + at * layout.IOCP_ENTRY_BYTES;
      const [key, bytes] = [memory.entryKey(entry), memory.entryBytes(entry)];
      this.#packet(memory.entryOverlapped(entry), key, bytes);
    }
  }

  /** A packet that the core left to the host. */
  #packet(overlapped: number, key: number, bytes: number): void {
    const { memory } = this.#context;
    if (overlapped === 0) return; // It only ended a wait.
    const accept = memory.acceptIndex(overlapped);
    if (accept >= 0) {
      this.#accepts.dispatch(accept, memory.statusOf(memory.acceptRecord(accept)));
      return;
    }
    const slot = memory.native.iocpSlot(
      memory.port,
      (overlapped % 2 ** 32) | 0,
      Math.floor(overlapped / 2 ** 32),
    );
    if (slot < 0) return;
    if (this.#transfers.packet(slot, key, bytes)) return;
    this.#openings.connected(slot);
  }

  // ------------------------------------------------------------ operations

  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void {
    const { adopts } = options;
    if (adopts === undefined) {
      this.#openings.listen(token, endpoint, options);
      return;
    }
    try {
      const { handle } = Adopter.open(this.#context, options, adopts, this.#adopting);
      this.#context.report(token, handle);
    } catch (error) {
      if (!(error instanceof WinsockError)) throw error;
      this.#context.reportFailure(token, error.code);
    }
  }

  adopt(listener: number, accepted: AcceptedSocket): void {
    const owner = this.#context.handles.get(listener)?.owner;
    if (owner instanceof Adopter) {
      owner.adopt(accepted);
      return;
    }
    // Its listener has gone.
    const { sockets } = this.#context;
    sockets.take();
    sockets.reset(accepted.socket);
  }

  offer(listener: number): void {
    const owner = this.#context.handles.get(listener)?.owner;
    if (owner instanceof Listener) owner.offer();
  }

  /** Its completion port: see `openWaker`. */
  get waker(): number {
    return this.#context.port;
  }

  /** What dies with no thread: see `reclaim`. */
  get remains(): Remains {
    const { port, memory } = this.#context;
    return { port, ...memory.handlesPlace };
  }

  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void {
    this.#openings.bind(token, endpoint, options);
  }

  connect(token: number, endpoint: Endpoint, options: StreamOptions): void {
    this.#start();
    this.#openings.connect(token, endpoint, options);
  }

  submit(address: number, count: number): void {
    const { core, native, port } = this.#context.memory;
    const { u32, i32, f64 } = core;
    this.#start();
    native.iocpPrepare(port, address, count);
    for (
      let word = address >>> 2, end = word + count * ENTRY_WORDS;
      word < end;
      word += ENTRY_WORDS
    ) {
      const kind = u32[word + KIND / 4] as number;
      const handle = i32[word + HANDLE / 4] as number;
      const token = f64[(word + TOKEN / 4) >>> 1] as number;
      switch (kind) {
        case layout.OPERATION_RECEIVE:
        case layout.OPERATION_SEND:
        case layout.OPERATION_RECEIVE_FROM:
        case layout.OPERATION_SEND_TO:
          this.#transfers.submit(kind, token, u32[word + OPERATION / 4] as number, handle);
          break;
        case layout.OPERATION_ACCEPT:
          this.accept(token, handle);
          break;
        case layout.OPERATION_SHUTDOWN:
          this.shutdown(token, handle);
          break;
        case layout.OPERATION_CANCEL:
          this.cancel(token);
          break;
        case layout.OPERATION_CLOSE:
          this.close(token, handle, u32[word + FLAGS / 4] === layout.CLOSE_RESET);
          break;
        case layout.OPERATION_POST:
          this.#post(token, u32[word + OPERATION / 4] as number);
          break;
      }
    }
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

  post(token: number): void {
    this.#submitOne(layout.OPERATION_POST, token, 0, 0, 0);
  }

  #submitOne(kind: number, token: number, handle: number, offset: number, length: number): void {
    const { u32, i32, f64 } = this.#context.memory.core;
    const at = this.#single;
    if (kind !== layout.OPERATION_POST && this.#context.handles.get(handle) === undefined) {
      this.#context.report(token, layout.ERROR_CLOSED);
      return;
    }
    u32[(at + KIND) >>> 2] = kind;
    i32[(at + HANDLE) >>> 2] = handle;
    f64[(at + TOKEN) >>> 3] = token;
    u32[(at + OFFSET) >>> 2] = offset;
    u32[(at + LENGTH) >>> 2] = length;
    u32[(at + FLAGS) >>> 2] = 0;
    u32[(at + OPERATION) >>> 2] = token % 2 ** layout.TOKEN_SLOT_BITS;
    this.submit(at, 1);
  }

  accept(token: number, handle: number): void {
    const entry = this.#entryOf(token, handle);
    if (entry === undefined) return;
    const { owner } = entry;
    if (owner?.token === NO_TOKEN) owner.arm(token);
    else this.#context.report(token, layout.ERROR_INVALID_OPTION);
  }

  shutdown(token: number, handle: number): void {
    const entry = this.#entryOf(token, handle);
    if (entry === undefined) return;
    const { win32 } = this.#context.system;
    entry.sendEnded = true;
    if (win32.shutdown(entry.socket, c.SD_SEND) === 0) this.#context.report(token, 0);
    else this.#context.reportFailure(token, win32.WSAGetLastError());
  }

  cancel(token: number): void {
    if (this.#openings.cancel(token) || this.#transfers.cancel(token)) return;
    for (const { owner } of this.#context.handles.list()) {
      if (owner?.token === token) owner.cancel();
    }
  }

  close(token: number, handle: number, reset: boolean): void {
    const entry = this.#entryOf(token, handle);
    if (entry === undefined) return;
    entry.closeToken = token;
    this.#context.closeSocket(entry, reset);
  }

  /** The open socket behind a handle; without one the operation fails. */
  #entryOf(token: number, handle: number): Entry | undefined {
    const entry = this.#context.handles.get(handle);
    if (entry !== undefined && !entry.socketClosed) return entry;
    this.#context.report(token, layout.ERROR_CLOSED);
    return undefined;
  }

  /** A packet through the port itself, as any thread may post one (R7). */
  #post(token: number, slot: number): void {
    const { memory, system, port } = this.#context;
    const overlapped = memory.base + this.#transfers.recordOf(slot);
    const { win32 } = system;
    if (win32.PostQueuedCompletionStatus(port, 0, layout.IOCP_KEY_POST, overlapped) === 0) {
      this.#context.report(token, layout.ERROR_NO_BUFFERS, win32.GetLastError());
    } else this.#pump.wake();
  }

  // ------------------------------------------------------------ handles

  localAddress(handle: number): SocketAddress | undefined {
    const entry = this.#context.handles.get(handle);
    if (entry === undefined || entry.socketClosed) return undefined;
    if (entry.owner instanceof Adopter) return entry.owner.address;
    return this.#context.sockets.localAddress(entry.socket);
  }

  remoteAddress(handle: number): SocketAddress | undefined {
    const entry = this.#context.handles.get(handle);
    if (entry === undefined || entry.kind === 'listener') return undefined;
    if (entry.remote === undefined && !entry.socketClosed) {
      entry.remote = this.#context.sockets.remoteAddress(entry.socket);
    }
    return entry.remote;
  }

  configure(handle: number, options: StreamOptions): void {
    const entry = this.#context.handles.get(handle);
    if (entry?.kind === 'stream' && !entry.socketClosed) {
      this.#context.sockets.configure(entry.socket, options);
    }
  }

  setReferenced(handle: number, referenced: boolean): void {
    const entry = this.#context.handles.get(handle);
    if (entry !== undefined) this.#context.setReferenced(entry, referenced);
  }

  systemErrorName(systemError: number): string | undefined {
    return winsockName(systemError);
  }

  // ------------------------------------------------------------ workers that dequeue

  get dequeuing(): Dequeuing | undefined {
    const { memory, port } = this.#context;
    return memory.seats === undefined ? undefined : { port, seats: memory.seats.place };
  }

  attend(): void {
    this.#pump.attend();
  }

  endDequeuer(worker: number): void {
    const { seats, native } = this.#context.memory;
    if (seats === undefined) return;
    if (seats.leave(worker, native)) this.#pump.interruptAgain();
    this.#pump.attend();
  }

  // ------------------------------------------------------------ time, end

  readonly now = now;
  readonly setTimer = setTimer;

  counters(): BackendCounters {
    const { counts, handles, sockets } = this.#context;
    return {
      ...counts,
      handlesOpen: handles.open,
      socketsOpen: sockets.open,
      acceptsPending: this.#accepts.pending,
    };
  }

  async dispose(): Promise<Leftovers> {
    const { handles, system, port } = this.#context;
    this.#openings.cancelAll();
    for (const entry of handles.list()) {
      // What connects comes back by being called off.
      if (!entry.socketClosed && !this.#openings.has(entry)) this.#context.closeSocket(entry, true);
    }
    const deadline = performance.now() + DISPOSE_WAIT_MS;
    while (this.#isOpen && performance.now() < deadline) {
      this.#pump.wake();
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
    }
    await this.#pump.stop();
    this.#release();
    const left = { operations: this.#pendingOperations, handles: handles.open };
    if (left.operations === 0) {
      system.win32.CloseHandle(port);
      alive.delete(this);
    }
    return left;
  }

  /** Operations that the kernel still has. */
  get #pendingOperations(): number {
    const { handles, memory } = this.#context;
    let pending = this.#accepts.pending + this.#openings.pending;
    for (const { handle } of handles.list()) pending += memory.pendingOf(handle);
    return pending;
  }
}
