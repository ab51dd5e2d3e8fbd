/** The contract's side of the simulator: tokens, handles and lent ranges. A driver belongs to one thread. */
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
import { toSocketAddress } from './addresses.ts';
import type { DatagramSocket } from './datagram-socket.ts';
import { Handles } from './handles.ts';
import { hostTask } from './host-task.ts';
import type { ListenerSocket } from './listener-socket.ts';
import { lend } from './loans.ts';
import type { SimNetwork } from './network.ts';
import { Openings } from './openings.ts';
import { Operation, type Perform, type Socket } from './operation.ts';
import { Pending } from './pending.ts';
import type { PumpedDriver } from './pump.ts';
import { Reports } from './reports.ts';
import { Shortage } from './shortage.ts';
import type { StreamSocket } from './stream-socket.ts';
import { systemErrorName } from './system-errors.ts';

const performSend: Perform = (operation, socket) => (socket as StreamSocket).send(operation);

export class SimDriver implements Driver, PumpedDriver {
  readonly limits: Limits;
  readonly #host: BackendHost;
  readonly #network: SimNetwork;
  readonly #handles = new Handles();
  readonly #operations = new Pending();
  readonly #reports: Reports;
  readonly #openings: Openings;
  readonly #shortage: Shortage;
  /** Submitted, and performed by the next `flush`. */
  #submitted: (Operation | (() => void))[] = [];
  #ready: (() => void) | undefined;
  #connecting = 0;
  #isWoken = false;
  #isWaiting = false;
  #isDisposed = false;
  /** Nobody pumps for this driver any more. */
  #isEnded = false;
  /** Transfers that are over, to serve again: there are as many as were pending at once. */
  readonly #spare: Operation[] = [];

  constructor(host: BackendHost, network: SimNetwork) {
    this.#host = host;
    this.#network = network;
    this.#reports = new Reports(host, network, network.join(this), (operation) =>
      this.#over(operation),
    );
    this.#openings = new Openings(host, network, this.#handles, this.#reports);
    this.#shortage = new Shortage(host, network, () => {
      this.#isWoken = true; // a loop that ran short of them wants to know
    });
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

  /** Its port's memory is one that several threads may work on. */
  get isShared(): boolean {
    return this.#host.core.shared;
  }

  // ------------------------------------------------------------ the loop

  attach(ready: () => void): void {
    this.#ready = ready;
    if (this.#reports.unhandled > 0) this.wake();
  }

  /** Blocking is letting virtual time pass; it needs no thread to sleep. */
  wait(timeoutMs: number): boolean {
    if (this.#network.settings.paused) return false;
    const untilMs = timeoutMs < 0 ? Infinity : this.#network.nowMs + timeoutMs;
    this.#isWaiting = true; // who waits handles what is reported; `ready` need not come
    while (this.#reports.unhandled === 0 && !this.#isWoken) {
      if (this.#network.step(untilMs)) continue;
      if (untilMs < Infinity) this.#network.scheduler.advance(untilMs);
      break;
    }
    this.#isWaiting = false;
    this.#reports.unhandled = 0;
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
    for (const item of submitted) {
      if (typeof item === 'function') item();
      else this.#perform(item);
    }
    this.#network.kick();
  }

  deliver(): void {
    const ready = this.#ready;
    if (ready === undefined || this.#isWaiting || (this.#reports.unhandled === 0 && !this.#isWoken))
      return;
    this.#reports.unhandled = 0;
    this.#isWoken = false;
    ready();
  }

  // ------------------------------------------------------------ operations

  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void {
    this.#submit('listen', token, 0, 0, (operation) =>
      this.#openings.listen(operation, endpoint, options),
    );
  }

  accept(token: number, listener: number): void {
    this.#submitOn('accept', token, listener, 'listener', 0, 0, (operation, socket) =>
      (socket as ListenerSocket).accept(operation),
    );
  }

  connect(token: number, endpoint: Endpoint, _options: StreamOptions): void {
    this.#connecting += 1;
    this.#submit('connect', token, 0, 0, (operation) =>
      this.#openings.connect(operation, endpoint),
    );
  }

  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void {
    this.#submit('bind', token, 0, 0, (operation) =>
      this.#openings.bind(operation, endpoint, options),
    );
  }

  receive(token: number, handle: number, offset: number, length: number): void {
    this.#submitOn('receive', token, handle, 'stream', offset, length, this.#performReceive);
  }

  readonly #performReceive = (operation: Operation, socket: Socket | undefined): void => {
    this.#shortage.perhaps();
    (socket as StreamSocket).receive(operation);
  };

  send(token: number, handle: number, offset: number, length: number): void {
    this.#submitOn('send', token, handle, 'stream', offset, length, performSend);
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
    this.#submitOn('shutdown', token, handle, 'stream', 0, 0, performSend);
  }

  cancel(token: number): void {
    this.#submitted.push(() => {
      const operation = this.#operations.get(token);
      if (operation === undefined || operation.isDecided) this.#network.count('cancelsLate');
      else operation.cancel?.(operation);
    });
  }

  close(token: number, handle: number, reset: boolean): void {
    this.#submit('close', token, 0, 0, (operation) => {
      const socket = this.#handles.get(handle);
      if (socket === undefined || socket.isClosing) {
        this.#network.count('unknownHandles');
        this.#reports.finish(operation, layout.ERROR_CLOSED);
        return;
      }
      socket.isClosing = true;
      operation.socket = socket;
      socket.close(reset);
      this.#reports.finish(operation, 0);
    });
  }

  post(token: number): void {
    this.#submit('post', token, 0, 0, (operation) => this.#reports.finish(operation, 0));
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
    this.#openings.isEnding = true;
    this.flush();
    return new Promise((resolve) => {
      hostTask(() => {
        if (!wasDisposed) this.#end();
        resolve({ operations: this.#operations.size, handles: this.#handles.size });
      });
    });
  }

  #end(): void {
    for (const operation of this.#operations.all()) {
      if (!operation.isDecided) operation.cancel?.(operation);
    }
    for (const socket of this.#handles.all()) {
      if (!socket.isClosing) socket.close(true);
      socket.isClosing = true;
    }
    // A cancel that lost is over now all the same: nothing comes any more.
    for (const operation of this.#operations.all()) {
      if (!operation.isDecided) this.#reports.finish(operation, layout.ERROR_CANCELED);
    }
    this.#reports.reportAll();
    this.#shortage.end();
    // Connections that an accept or connect brought, and that nobody has closed.
    for (const socket of this.#handles.all()) {
      if (!socket.isClosing) socket.close(true);
      this.#handles.release(socket);
    }
    this.#network.drivers.delete(this);
    this.#isEnded = true;
    this.#ready?.();
  }

  // ------------------------------------------------------------ submission

  /** Notes an operation, lends its range, and performs it at the next flush. */
  #submit(
    kind: string,
    token: number,
    offset: number,
    length: number,
    perform: Perform,
    target = 0,
    socketKind?: Socket['kind'],
  ): void {
    const operation = this.#spare.pop() ?? new Operation();
    operation.begin(kind, token, target, socketKind, offset, length, perform);
    lend(operation, this.#host.core, this.#network);
    if (!this.#operations.add(operation)) {
      this.#network.violate('limitViolations', `token ${token} is pending already`);
    }
    this.#submitted.push(operation);
  }

  #perform(operation: Operation): void {
    if (this.#isEnded) {
      this.#refuse(operation);
      return;
    }
    const { target, socketKind } = operation;
    if (socketKind === undefined) {
      operation.perform(operation, undefined);
      return;
    }
    const socket = this.#handles.get(target);
    if (socket === undefined || socket.isClosing || socket.kind !== socketKind) {
      this.#network.count('unknownHandles');
      this.#reports.finish(operation, layout.ERROR_CLOSED);
      return;
    }
    operation.socket = socket;
    operation.perform(operation, socket);
  }

  /** After the end nobody pumps for this driver: its operations fail by themselves. */
  #refuse(operation: Operation): void {
    hostTask(() => {
      this.#reports.reportNow(operation, layout.ERROR_CLOSED);
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
    perform: Perform,
  ): void {
    this.#submit(kind, token, offset, length, perform, handle, socketKind);
  }

  /** The final completion of an operation is being reported. */
  #over(operation: Operation): void {
    const { kind, socket } = operation;
    this.#operations.delete(operation);
    if (kind === 'connect') this.#connecting -= 1;
    if (kind === 'close' && socket !== undefined) this.#handles.release(socket);
    // Nobody else keeps a transfer that is over; what is called off at the end may still be scheduled.
    if ((kind !== 'receive' && kind !== 'send') || this.#isDisposed) return;
    operation.rest();
    this.#spare.push(operation);
  }
}
