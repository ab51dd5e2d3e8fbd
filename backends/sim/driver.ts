/**
 * The contract's side of the simulator: tokens, handles, lent ranges, and when
 * completions are reported. A driver belongs to one thread; the network below
 * may come to be shared, and `#perform` and `deliver` are where its lock goes.
 */
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
import { toSocketAddress, writeAddress } from './addresses.ts';
import { DatagramSocket } from './datagram-socket.ts';
import { Handles } from './handles.ts';
import { hostTask } from './host-task.ts';
import { isInside, lendReceive, lendSend } from './lent.ts';
import { ListenerSocket } from './listener-socket.ts';
import type { Attempt, SimNetwork } from './network.ts';
import type { Operation, Outcome, Reporter, Socket } from './operation.ts';
import type { Scheduled } from './scheduler.ts';
import type { StreamEnd } from './stream.ts';
import { StreamSocket } from './stream-socket.ts';
import { systemErrorName, systemErrorOf } from './system-errors.ts';

/** A decided completion on its way to the loop. */
interface Report {
  readonly operation: Operation;
  readonly outcome: Outcome;
  scheduled: Scheduled | undefined;
}

/** Added to an order number to come right after it: whole numbers are handed out, so it stays below the next. */
const RIGHT_AFTER = 2 ** -20;

export class SimDriver implements Driver, Reporter {
  readonly limits: Limits;
  readonly #host: BackendHost;
  readonly #network: SimNetwork;
  readonly #number: number;
  readonly #handles = new Handles();
  readonly #operations = new Map<number, Operation>();
  readonly #reports = new Set<Report>();
  readonly #heldBuffers = new Set<number>();
  /** Submitted, and performed by the next `flush`. */
  #submitted: (() => void)[] = [];
  #ready: (() => void) | undefined;
  #reported = 0;
  #connecting = 0;
  #isWoken = false;
  #isWaiting = false;
  #isDisposed = false;

  constructor(host: BackendHost, network: SimNetwork) {
    this.#host = host;
    this.#network = network;
    this.#number = network.join(this);
    const { receiveDepth, sendDepth, maxTransferBytes, selectsBuffers } = network.settings;
    this.limits = {
      receiveDepth: selectsBuffers ? 1 : receiveDepth,
      sendDepth,
      maxTransferBytes,
      selectsBuffers,
    };
  }

  /** An open handle, or a connect, keeps the process alive while something is scheduled. */
  get isReferenced(): boolean {
    return this.#connecting > 0 || this.#handles.isAnyReferenced;
  }

  // ------------------------------------------------------------ the loop

  attach(ready: () => void): void {
    this.#ready = ready;
    if (this.#reported > 0) this.wake();
  }

  /** Blocking is letting virtual time pass; it needs no thread to sleep. */
  wait(timeoutMs: number): boolean {
    if (this.#network.settings.paused) return false;
    const untilMs = timeoutMs < 0 ? Infinity : this.#network.nowMs + timeoutMs;
    this.#isWaiting = true; // who waits handles what is reported; `ready` need not come
    while (this.#reported === 0 && !this.#isWoken) {
      if (this.#network.step(untilMs)) continue;
      if (untilMs < Infinity) this.#network.scheduler.advance(untilMs);
      break;
    }
    this.#isWaiting = false;
    this.#reported = 0;
    this.#isWoken = false;
    return true;
  }

  wake(): void {
    this.#isWoken = true;
    const { scheduler } = this.#network;
    scheduler.at(scheduler.nowMs, () => {});
    this.#network.kick();
  }

  flush(): void {
    const submitted = this.#submitted;
    this.#submitted = [];
    for (const perform of submitted) perform();
    this.#network.kick();
  }

  /** Lets the loop handle what was reported. Called by the pump, once a batch. */
  deliver(): void {
    const ready = this.#ready;
    if (ready === undefined || this.#isWaiting || (this.#reported === 0 && !this.#isWoken)) return;
    this.#reported = 0;
    this.#isWoken = false;
    ready();
  }

  // ------------------------------------------------------------ operations

  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void {
    this.#submit('listen', token, 0, 0, (operation) => {
      let socket: ListenerSocket | undefined;
      const outcome = this.#network.listen(
        endpoint,
        (address) => {
          socket = this.#handles.open(
            (handle) =>
              new ListenerSocket(
                handle,
                this.#network,
                this,
                (end) => this.#adopt(end),
                address,
                options,
              ),
          );
          return socket;
        },
        options.reusePort,
      );
      this.#finishOpening(operation, socket ?? (outcome as number));
    });
  }

  accept(token: number, listener: number): void {
    this.#submitOn('accept', token, listener, 'listener', 0, 0, (operation, socket) =>
      (socket as ListenerSocket).accept(operation),
    );
  }

  connect(token: number, endpoint: Endpoint, _options: StreamOptions): void {
    this.#connecting += 1;
    this.#submit('connect', token, 0, 0, (operation) => {
      const attempt: Attempt = {
        endpoint,
        isOff: false,
        isWaiting: false,
        settle: (outcome) => {
          this.#finishOpening(
            operation,
            typeof outcome === 'number' ? outcome : this.#adopt(outcome),
          );
        },
      };
      operation.cancel = () => {
        const { random, settings } = this.#network;
        const host = 'host' in endpoint ? endpoint.host : endpoint.path;
        const isHopeless = attempt.isWaiting || settings.blackhole.includes(host);
        if (!isHopeless && !this.#isDisposed && random.chance(settings.loseCancelProbability)) {
          this.#network.count('cancelsLost');
          return;
        }
        attempt.isOff = true;
        this.finish(operation, { result: layout.ERROR_CANCELED });
      };
      this.#network.connect(attempt);
    });
  }

  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void {
    this.#submit('bind', token, 0, 0, (operation) => {
      let socket: DatagramSocket | undefined;
      const peer = options.peer === undefined ? undefined : this.#network.resolve(options.peer);
      const outcome = this.#network.bind(
        endpoint,
        (address) => {
          socket = this.#handles.open(
            (handle) =>
              new DatagramSocket(
                handle,
                this.#network,
                this.#host,
                this,
                address,
                peer,
                options.reuseAddress,
              ),
          );
          return socket;
        },
        options.reuseAddress,
      );
      this.#finishOpening(operation, socket ?? (outcome as number));
    });
  }

  receive(token: number, handle: number, offset: number, length: number): void {
    this.#submitOn('receive', token, handle, 'stream', offset, length, (operation, socket) => {
      this.#perhapsExhaust();
      (socket as StreamSocket).receive(operation);
    });
  }

  send(token: number, handle: number, offset: number, length: number): void {
    this.#submitOn('send', token, handle, 'stream', offset, length, (operation, socket) =>
      (socket as StreamSocket).send(operation),
    );
  }

  receiveFrom(token: number, handle: number, offset: number, length: number): void {
    this.#submitOn('receiveFrom', token, handle, 'datagram', offset, length, (operation, socket) =>
      (socket as DatagramSocket).receive(operation),
    );
  }

  sendTo(token: number, handle: number, offset: number, length: number): void {
    this.#submitOn('sendTo', token, handle, 'datagram', offset, length, (operation, socket) =>
      (socket as DatagramSocket).send(operation),
    );
  }

  shutdown(token: number, handle: number): void {
    this.#submitOn('shutdown', token, handle, 'stream', 0, 0, (operation, socket) =>
      (socket as StreamSocket).send(operation),
    );
  }

  cancel(token: number): void {
    this.#submitted.push(() => {
      const operation = this.#operations.get(token);
      if (operation === undefined || operation.isDecided) this.#network.count('cancelsLate');
      else operation.cancel?.();
    });
  }

  close(token: number, handle: number, reset: boolean): void {
    this.#submit('close', token, 0, 0, (operation) => {
      const socket = this.#handles.get(handle);
      if (socket === undefined || socket.isClosing) {
        this.#network.count('unknownHandles');
        this.finish(operation, { result: layout.ERROR_CLOSED });
        return;
      }
      socket.isClosing = true;
      operation.socket = socket;
      socket.close(reset);
      this.finish(operation, { result: 0 });
    });
  }

  post(token: number): void {
    this.#submit('post', token, 0, 0, (operation) => this.finish(operation, { result: 0 }));
  }

  // ------------------------------------------------------------ sockets

  localAddress(handle: number): SocketAddress | undefined {
    const address = this.#handles.get(handle)?.local;
    return address && toSocketAddress(address);
  }

  remoteAddress(handle: number): SocketAddress | undefined {
    const address = this.#handles.get(handle)?.remote;
    return address && toSocketAddress(address);
  }

  configure(handle: number, _options: StreamOptions): void {
    if (this.#handles.get(handle) === undefined) this.#network.count('unknownHandles');
  }

  setReferenced(handle: number, referenced: boolean): void {
    const socket = this.#handles.get(handle);
    if (socket === undefined) return;
    socket.isReferenced = referenced;
    this.#network.kick();
  }

  systemErrorName(systemError: number): string | undefined {
    return systemErrorName(systemError);
  }

  // ------------------------------------------------------------ time and end

  now(): number {
    return this.#network.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const { scheduler } = this.#network;
    const scheduled = scheduler.at(scheduler.nowMs + Math.max(0, delayMs), callback, 'patient');
    this.#network.kick();
    return () => scheduler.cancel(scheduled);
  }

  counters(): BackendCounters {
    return {
      lentViolations: 0,
      limitViolations: 0,
      unknownHandles: 0,
      ...this.#network.counters,
      operationsPending: this.#operations.size,
      handlesOpen: this.#handles.size,
    };
  }

  /** Works in `paused` mode too: what is left is reported in one task of the host's. */
  dispose(): Promise<Leftovers> {
    const wasDisposed = this.#isDisposed;
    this.#isDisposed = true;
    this.flush();
    return new Promise((resolve) => {
      hostTask(() => {
        if (!wasDisposed) this.#end();
        resolve({ operations: this.#operations.size, handles: this.#handles.size });
      });
    });
  }

  #end(): void {
    for (const operation of [...this.#operations.values()]) {
      if (!operation.isDecided) operation.cancel?.();
    }
    for (const socket of [...this.#handles]) {
      if (!socket.isClosing) socket.close(true);
      socket.isClosing = true;
    }
    // A cancel that lost is over now all the same: nothing comes any more.
    for (const operation of this.#operations.values()) {
      if (!operation.isDecided) this.finish(operation, { result: layout.ERROR_CANCELED });
    }
    const reports = [...this.#reports].sort((a, b) => {
      const [first, second] = [a.scheduled as Scheduled, b.scheduled as Scheduled];
      return first.timeMs - second.timeMs || first.order - second.order;
    });
    for (const report of reports) {
      this.#network.scheduler.cancel(report.scheduled as Scheduled);
      this.#report(report);
    }
    for (const buffer of this.#heldBuffers) this.#host.returnBuffer(buffer);
    this.#heldBuffers.clear();
    // Connections that an accept or connect brought, and that nobody has closed.
    for (const socket of [...this.#handles]) {
      if (!socket.isClosing) socket.close(true);
      this.#handles.release(socket);
    }
    this.#network.drivers.delete(this);
    this.#ready?.();
  }

  // ------------------------------------------------------------ submission

  /** Notes an operation, lends its range, and performs it at the next flush. */
  #submit(
    kind: string,
    token: number,
    offset: number,
    length: number,
    perform: (operation: Operation) => void,
  ): void {
    const operation: Operation = {
      token,
      kind,
      offset,
      length,
      lent: this.#lend(kind, offset, length),
      done: 0,
      isDecided: false,
      cancel: undefined,
      socket: undefined,
      timeMs: 0,
      order: 0,
    };
    if (this.#operations.has(token)) {
      this.#network.violate('limitViolations', `token ${token} is pending already`);
    }
    this.#operations.set(token, operation);
    this.#submitted.push(() => {
      if (this.#network.drivers.has(this)) perform(operation);
      else this.#refuse(operation);
    });
  }

  /** After the end nobody pumps for this driver: its operations fail by themselves. */
  #refuse(operation: Operation): void {
    hostTask(() => {
      this.#report({ operation, outcome: { result: layout.ERROR_CLOSED }, scheduled: undefined });
      this.deliver();
    });
  }

  #submitOn(
    kind: string,
    token: number,
    handle: number,
    socketKind: Socket['kind'],
    offset: number,
    length: number,
    perform: (operation: Operation, socket: Socket) => void,
  ): void {
    this.#submit(kind, token, offset, length, (operation) => {
      const socket = this.#handles.get(handle);
      if (socket === undefined || socket.isClosing || socket.kind !== socketKind) {
        this.#network.count('unknownHandles');
        this.finish(operation, { result: layout.ERROR_CLOSED });
        return;
      }
      operation.socket = socket;
      perform(operation, socket);
    });
  }

  #lend(kind: string, offset: number, length: number) {
    const { settings, patternRandom } = this.#network;
    const { core } = this.#host;
    const isArmed = kind === 'receive' && settings.selectsBuffers;
    const isReceive = (kind === 'receive' && !isArmed) || kind === 'receiveFrom';
    const isSend = kind === 'send' || kind === 'sendTo';
    if (!isReceive && !isSend) return undefined;
    const isStream = kind === 'send' || kind === 'receive';
    const least = isStream ? (isReceive ? 1 : 0) : layout.ADDRESS_BYTES;
    const most = isStream ? settings.maxTransferBytes : Infinity;
    if (!isInside(core, offset, length) || length < least || length > most) {
      this.#network.violate('limitViolations', `${kind} of ${length} bytes at ${offset}`);
      return undefined;
    }
    if (!settings.checkLent) return undefined;
    return isReceive
      ? lendReceive(core, offset, length, patternRandom)
      : lendSend(core, offset, length);
  }

  #adopt(end: StreamEnd): StreamSocket {
    return this.#handles.open(
      (handle) => new StreamSocket(handle, this.#network, this.#host, this, end),
    );
  }

  #finishOpening(operation: Operation, outcome: Socket | number): void {
    if (typeof outcome === 'number') {
      this.finish(operation, { result: outcome });
      return;
    }
    this.finish(operation, { result: outcome.handle });
    outcome.timeMs = operation.timeMs;
    outcome.order = operation.order;
  }

  /** Takes buffers away for a while, so that the loop runs short of them. */
  #perhapsExhaust(): void {
    const { random, settings, scheduler } = this.#network;
    if (this.#heldBuffers.size > 0 || !random.chance(settings.bufferExhaustion)) return;
    const most = random.chance(0.5) ? Infinity : random.integer(1, 16);
    const taken: number[] = [];
    while (taken.length < most) {
      const buffer = this.#host.takeBuffer();
      if (buffer < 0) break;
      taken.push(buffer);
      this.#heldBuffers.add(buffer);
    }
    this.#network.count('exhaustions');
    scheduler.at(scheduler.nowMs + random.between(settings.bufferExhaustionMs), () => {
      for (const buffer of taken) {
        if (this.#heldBuffers.delete(buffer)) this.#host.returnBuffer(buffer);
      }
      this.#isWoken = true; // a loop that ran short of them wants to know
    });
  }

  // ------------------------------------------------------------ completion

  finish(operation: Operation, outcome: Outcome): void {
    const { scheduler } = this.#network;
    const isFinal = ((outcome.flags ?? 0) & layout.COMPLETION_MORE) === 0;
    if (isFinal) operation.isDecided = true;
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
    const { token, kind, socket } = operation;
    const flags = outcome.flags ?? 0;
    this.#reports.delete(report);
    if (operation.lent?.isUntouched() === false) {
      this.#network.violate(
        'lentViolations',
        `the range lent to ${kind} (token ${token}) was touched before its completion: ` +
          `${operation.length} bytes at ${operation.offset}`,
      );
    }
    this.#write(operation, outcome);
    if ((flags & layout.COMPLETION_MORE) === 0) {
      this.#operations.delete(token);
      if (kind === 'connect') this.#connecting -= 1;
      if (kind === 'close' && socket !== undefined) this.#handles.release(socket);
    }
    this.#reported += 1;
    const { result, buffer = layout.NOTHING } = outcome;
    this.#network.count('completions');
    this.#network.trace(`${this.#number} ${kind} ${token} ${result} ${flags}`);
    this.#host.complete(token, result, flags, buffer, systemErrorOf(result));
  }

  #write(operation: Operation, { bytes, from }: Outcome): void {
    const { u8 } = this.#host.core;
    if (from !== undefined) writeAddress(u8, operation.offset, from);
    if (bytes === undefined) return;
    u8.set(bytes, operation.offset + (from === undefined ? 0 : layout.ADDRESS_BYTES));
  }
}

function isBefore(
  a: { readonly timeMs: number; readonly order: number },
  b: { readonly timeMs: number; readonly order: number },
): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
}
