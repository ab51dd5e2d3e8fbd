/** One stream socket of node:net: reads, writes, both halves' ends, and its close. */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { ERROR_BROKEN_PIPE, ERROR_CANCELED, ERROR_CLOSED, ERROR_RESET } from '#generated/layout';
import type { SocketAddress, StreamOptions } from '../backend.ts';
import { type Failure, failureOf, systemErrno } from '../stream/failure.ts';
import { StreamReceiver } from '../stream/receiver.ts';
import { NO_TOKEN, type OperationOwner } from '../stream/reporter.ts';
import type { NetContext } from './context.ts';
import { type SendRecord, takeSendRecord } from './sends.ts';
import { lostPeer } from './system.ts';

const NO_BYTES = Buffer.alloc(0);
const OWNER = Symbol('connection');

interface OwnedSocket extends Socket {
  [OWNER]?: StreamConnection;
}

const CANCELED: Failure = { result: ERROR_CANCELED, systemError: 0 };
const RESET: Failure = { result: ERROR_RESET, systemError: 0 };

// One listener function for all sockets: they find their connection through the socket.
function onEnd(this: OwnedSocket): void {
  this[OWNER]?.onEnd();
}
function onError(this: OwnedSocket, error: Error): void {
  this[OWNER]?.onError(error);
}
function onClose(this: OwnedSocket): void {
  this[OWNER]?.onClose();
}
function onData(this: OwnedSocket, chunk: Uint8Array): void {
  this[OWNER]?.onData(chunk);
}
function onConnect(this: OwnedSocket): void {
  this[OWNER]?.onConnect();
}

export class StreamConnection implements OperationOwner {
  /** Number while it is open to the loop, else NO_TOKEN. */
  handle = NO_TOKEN;
  readonly receiver: StreamReceiver;
  readonly #context: NetContext;
  #socket: OwnedSocket | undefined;
  #path: string | undefined;
  #connectToken = NO_TOKEN;
  #shutdownToken = NO_TOKEN;
  #closeToken = NO_TOKEN;
  #local: SocketAddress | undefined;
  /** Set by close, by a cancelled connect and by dispose: what is still pending was cancelled. */
  #closing = false;
  /** A shutdown was asked for. */
  #shut = false;
  /** The socket has been told to end. */
  #ending = false;
  #socketClosed = false;
  #failure: Failure | undefined;
  #firstSend: SendRecord | undefined;
  #lastSend: SendRecord | undefined;
  /** First of the sends that the socket has not been given yet. */
  #unwritten: SendRecord | undefined;

  constructor(context: NetContext, path: string | undefined) {
    this.#context = context;
    this.#path = path;
    this.receiver = new StreamReceiver(context.reporter, this);
  }

  /** The callback of the `onread` option: bytes lie in the shared scratch range. */
  readonly onRead = (length: number): boolean => {
    const { scratch, scratchOffset } = this.#context;
    return this.receiver.take(scratch, scratchOffset, length);
  };

  /** Takes a socket over. `pushes`: it emits 'data', because it cannot read into the scratch range. */
  adopt(socket: Socket, pushes: boolean): void {
    const owned = socket as OwnedSocket;
    owned[OWNER] = this;
    this.#socket = owned;
    owned.on('error', onError);
    owned.on('end', onEnd);
    owned.on('close', onClose);
    if (pushes) {
      owned.pause();
      owned.on('data', onData);
    }
  }

  /** The socket has begun to connect. */
  connecting(token: number): void {
    this.#connectToken = token;
    this.#socket?.on('connect', onConnect);
    this.#socket?.pause();
  }

  // ---------------------------------------------------------------- operations

  receive(token: number): void {
    this.receiver.arm(token);
  }

  send(token: number, offset: number, length: number): void {
    const refused = this.#refusal();
    if (refused !== undefined) {
      this.#context.reporter.finish(token, refused.result, refused.systemError);
      return;
    }
    const record = takeSendRecord(this.#context.sendPool);
    record.token = token;
    record.offset = offset;
    record.length = length;
    record.connection = this;
    if (this.#lastSend === undefined) this.#firstSend = record;
    else this.#lastSend.next = record;
    this.#lastSend = record;
    if (this.#unwritten === undefined) {
      this.#unwritten = record;
      this.#context.dirty.push(this);
    }
  }

  /** Writes the turn's sends: one write, or one writev. */
  flush(): void {
    const first = this.#unwritten;
    if (first === undefined) return;
    this.#unwritten = undefined;
    const socket = this.#socket as Socket;
    const context = this.#context;
    if (!context.seesWritten) {
      socket.cork();
      for (let record: SendRecord | undefined = first; record !== undefined; record = record.next) {
        socket.write(context.view(record.offset, record.length), record.done);
      }
      socket.uncork();
      return;
    }
    if (first.next === undefined) socket.write(context.view(first.offset, first.length));
    else {
      socket.cork();
      for (let record: SendRecord | undefined = first; record !== undefined; record = record.next) {
        socket.write(context.view(record.offset, record.length));
      }
      socket.uncork();
    }
    // Usually the kernel took it all at once, and a callback (a tick, a closure's call) is saved.
    if (socket.writableLength === 0) {
      if (socket.errored === null && !socket.destroyed) this.#written(first);
      return;
    }
    // An empty write behind them is called back when they are done.
    const last = this.#lastSend as SendRecord;
    socket.write(NO_BYTES, (error) => {
      if (last.connection === this) this.#writtenUpTo(last, error ?? undefined);
    });
  }

  #written(first: SendRecord): void {
    for (let record: SendRecord | undefined = first; record !== undefined; ) {
      const next: SendRecord | undefined = record.next;
      this.onWritten(record, undefined);
      record = next;
    }
  }

  #writtenUpTo(last: SendRecord, error: Error | undefined): void {
    for (let record = this.#firstSend; record !== undefined; ) {
      const next: SendRecord | undefined = record === last ? undefined : record.next;
      this.onWritten(record, error);
      record = next;
    }
  }

  shutdown(token: number): void {
    const refused = this.#shut ? undefined : this.#refusal();
    if (refused !== undefined || this.#shut) {
      const result = refused ?? { result: 0, systemError: 0 };
      this.#context.reporter.finish(token, result.result, result.systemError);
      return;
    }
    this.flush();
    this.#shut = true;
    this.#shutdownToken = token;
    // Not before the writes are done: a socket that is shutting down cannot be reset,
    // and an abort would then look like an end to the peer.
    if (this.#firstSend === undefined) this.#end();
  }

  #end(): void {
    this.#ending = true;
    (this.#socket as Socket).end(this.#onShut);
  }

  close(token: number, reset: boolean): void {
    this.#closeToken = token;
    if (!reset) this.flush();
    this.abandon(reset);
  }

  /** Cancels what is pending and closes the socket; `onClose` follows. */
  abandon(reset: boolean): void {
    const socket = this.#socket as Socket;
    this.remember();
    this.#local = this.localAddress();
    this.#closing = true;
    this.#dropUnwritten();
    this.receiver.discard();
    this.receiver.cancel();
    if (this.#socketClosed) this.#context.reporter.defer({ run: () => this.#settle() });
    else if (this.#connectToken !== NO_TOKEN) socket.destroy();
    else if (reset) this.#reset(socket);
    else if (this.#failure !== undefined || socket.writableLength > 0) socket.destroy();
    else this.#closeGently(socket);
  }

  cancel(token: number): void {
    if (token === this.receiver.token) this.receiver.cancel();
    else if (token === this.#connectToken) {
      this.#closing = true;
      this.#socket?.destroy();
    } else this.#takeBack(token);
  }

  // ---------------------------------------------------------------- flow

  pauseReading(): void {
    if (!this.#socketClosed) this.#socket?.pause();
  }

  resumeReading(): void {
    if (!this.#socketClosed) this.#socket?.resume();
  }

  // ---------------------------------------------------------------- events of the socket

  onConnect(): void {
    const token = this.#connectToken;
    if (token === NO_TOKEN || this.#closing) return;
    this.#connectToken = NO_TOKEN;
    this.#context.forget(this);
    this.handle = this.#context.open(this);
    this.#context.count('connected');
    this.remember();
    this.#context.reporter.finish(token, this.handle);
  }

  onData(chunk: Uint8Array): void {
    if (this.#closing) return;
    if (!this.receiver.take(chunk, 0, chunk.length)) this.#socket?.pause();
  }

  onEnd(): void {
    const hidden =
      this.#path === undefined && !this.#ending && !this.#closing && lostPeer(this.#socket);
    if (hidden) {
      this.#failure ??= { result: ERROR_RESET, systemError: systemErrno.numberOf('ECONNRESET') };
      this.#context.count('hiddenResets');
      this.receiver.end(this.#failure.result, this.#failure.systemError);
    } else this.receiver.end(0);
  }

  onError(error: Error): void {
    const failure = failureOf(error);
    this.#failure ??= failure;
    const broken = failure.result === ERROR_BROKEN_PIPE;
    // A write that found the pipe broken: the peer is gone, for the receive that is a reset.
    if (!this.#closing) {
      this.receiver.end(broken ? ERROR_RESET : failure.result, failure.systemError);
    }
    this.#context.count(this.#connectToken === NO_TOKEN ? 'streamErrors' : 'connectErrors');
  }

  /** The write of `record` is done with its bytes. */
  onWritten(record: SendRecord, error: Error | undefined): void {
    const socket = this.#socket as Socket;
    let result = record.length;
    let systemError = 0;
    // A destroyed socket calls the callbacks of its unfinished writes without an error too.
    if (error !== undefined || (socket.destroyed && !this.#socketEndedWell(socket))) {
      const failure = this.#closing
        ? CANCELED
        : (this.#failure ?? failureOf(socket.errored ?? error));
      result = failure.result;
      systemError = failure.systemError;
    } else this.#context.bytesSent += result;
    this.#unlink(record);
    const { token } = record;
    record.recycle();
    this.#context.reporter.finish(token, result, systemError);
    if (this.#firstSend === undefined && this.#shutdownToken !== NO_TOKEN && !this.#ending) {
      this.#end();
    }
  }

  onClose(): void {
    this.#socketClosed = true;
    this.#settle();
  }

  // ---------------------------------------------------------------- the rest

  /** Has the socket look its addresses up while it can; it remembers them. */
  remember(): void {
    if (this.#path !== undefined || this.#socketClosed) return;
    void this.#socket?.remoteAddress;
  }

  localAddress(): SocketAddress | undefined {
    if (this.#path !== undefined) return { address: this.#path, port: 0, family: 'path' };
    const socket = this.#socket;
    if (socket?.localAddress === undefined || socket.localPort === undefined) return this.#local;
    return {
      address: socket.localAddress,
      port: socket.localPort,
      family: socket.localFamily === 'IPv6' ? 'IPv6' : 'IPv4',
    };
  }

  remoteAddress(): SocketAddress | undefined {
    if (this.#path !== undefined) return { address: this.#path, port: 0, family: 'path' };
    const socket = this.#socket;
    if (socket?.remoteAddress === undefined || socket.remotePort === undefined) return undefined;
    return {
      address: socket.remoteAddress,
      port: socket.remotePort,
      family: socket.remoteFamily === 'IPv6' ? 'IPv6' : 'IPv4',
    };
  }

  configure(options: StreamOptions): void {
    if (this.#path !== undefined || this.#socketClosed) return;
    this.#socket?.setNoDelay(options.noDelay);
    this.#socket?.setKeepAlive(options.keepAliveMs > 0, options.keepAliveMs);
  }

  setReferenced(referenced: boolean): void {
    if (referenced) this.#socket?.ref();
    else this.#socket?.unref();
  }

  readonly #onShut = (error?: Error | null): void => {
    const token = this.#shutdownToken;
    if (token === NO_TOKEN) return;
    this.#shutdownToken = NO_TOKEN;
    if (error === undefined || error === null) this.#context.reporter.finish(token, 0);
    else this.#finishFailed(token, this.#closing ? CANCELED : (this.#failure ?? failureOf(error)));
  };

  /** Why nothing more can be sent, if so. */
  #refusal(): Failure | undefined {
    if (this.#failure !== undefined) return this.#failure;
    if (this.#shut || this.#socketClosed) return { result: ERROR_BROKEN_PIPE, systemError: 0 };
    if (this.#closing) return { result: ERROR_CLOSED, systemError: 0 };
    return undefined;
  }

  #finishFailed(token: number, failure: Failure): void {
    this.#context.reporter.finish(token, failure.result, failure.systemError);
  }

  /** Both sides ended and the socket destroyed itself: its writes were done before. */
  #socketEndedWell(socket: Socket): boolean {
    return this.#shut && socket.writableFinished && !socket.errored;
  }

  /** FIN, then what the peer has sent up to now is read: closing over unread bytes would reset. */
  #closeGently(socket: Socket): void {
    if (this.#shut && this.receiver.ended) {
      socket.destroy();
      return;
    }
    const finish = (): void => {
      setImmediate(() => socket.destroy());
    };
    socket.resume();
    if (socket.writableFinished) finish();
    else {
      socket.once('finish', finish);
      if (!this.#ending) socket.end();
    }
  }

  #reset(socket: Socket): void {
    if (this.#path !== undefined || typeof socket.resetAndDestroy !== 'function') socket.destroy();
    else if (this.#ending && !socket.writableFinished && !socket.destroyed) {
      // Its FIN is under way; resetting now would fail and leave the socket open.
      socket.once('finish', () => socket.resetAndDestroy());
    } else socket.resetAndDestroy();
  }

  #unlink(record: SendRecord): void {
    if (this.#firstSend === record) {
      this.#firstSend = record.next;
      if (record.next === undefined) this.#lastSend = undefined;
      return;
    }
    let before = this.#firstSend;
    while (before !== undefined && before.next !== record) before = before.next;
    if (before === undefined) return;
    before.next = record.next;
    if (this.#lastSend === record) this.#lastSend = before;
  }

  /** A send that was not written yet can be taken back; one under way completes when it is done. */
  #takeBack(token: number): void {
    for (let record = this.#unwritten; record !== undefined; record = record.next) {
      if (record.token !== token) continue;
      if (record === this.#unwritten) this.#unwritten = record.next;
      this.#unlink(record);
      record.recycle();
      this.#context.reporter.finish(token, ERROR_CANCELED);
      return;
    }
  }

  #dropUnwritten(): void {
    while (this.#unwritten !== undefined) this.#takeBack(this.#unwritten.token);
  }

  /** The socket is closed: whatever has not completed does so now, the close last. */
  #settle(): void {
    const { reporter } = this.#context;
    const failure = this.#closing ? CANCELED : (this.#failure ?? RESET);
    this.receiver.end(failure.result, failure.systemError);
    for (let record = this.#firstSend; record !== undefined; record = record.next) {
      record.connection = undefined;
      this.#finishFailed(record.token, failure);
    }
    this.#firstSend = undefined;
    this.#lastSend = undefined;
    this.#unwritten = undefined;
    if (this.#shutdownToken !== NO_TOKEN) {
      const token = this.#shutdownToken;
      this.#shutdownToken = NO_TOKEN;
      this.#finishFailed(token, failure);
    }
    if (this.#connectToken !== NO_TOKEN) {
      const token = this.#connectToken;
      this.#connectToken = NO_TOKEN;
      this.#finishFailed(token, failure);
      this.#context.forget(this);
    }
    if (!this.#closing || this.handle === NO_TOKEN) return;
    const handle = this.handle;
    this.handle = NO_TOKEN;
    this.#context.closed(handle);
    if (this.#closeToken !== NO_TOKEN) reporter.finish(this.#closeToken, 0);
  }
}
