/** A connection on a net.Socket: what connects, and what is accepted where there is no bare handle. */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { ERROR_CANCELED } from '#generated/layout';
import type { SocketAddress, StreamOptions } from '../backend.ts';
import { failureOf } from '../stream/failure.ts';
import { isItsOwnPeer, refusedByItself } from '../stream/itself.ts';
import { NO_TOKEN } from '../stream/reporter.ts';
import { StreamConnection } from './connection.ts';
import type { SendRecord } from './sends.ts';
import { lostPeer } from './system.ts';

const NO_BYTES = Buffer.alloc(0);
const OWNER = Symbol('connection');

interface OwnedSocket extends Socket {
  [OWNER]?: SocketConnection;
}

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

export class SocketConnection extends StreamConnection {
  #socket: OwnedSocket | undefined;
  #connectToken = NO_TOKEN;
  #local: SocketAddress | undefined;

  /** The callback of the `onread` option: bytes lie in the shared scratch range. */
  readonly onRead = (length: number): boolean => {
    const { scratch, scratchOffset } = this.context;
    return this.takeBytes(scratch, scratchOffset, length);
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

  override cancel(token: number): void {
    if (token === this.#connectToken) {
      this.closing = true;
      this.#socket?.destroy();
    } else super.cancel(token);
  }

  override abandon(reset: boolean): void {
    this.remember();
    this.#local = this.localAddress();
    super.abandon(reset);
  }

  // ---------------------------------------------------------------- sending

  /** One write, or one writev. */
  flush(): void {
    const first = this.unwritten;
    if (first === undefined) return;
    this.unwritten = undefined;
    const socket = this.#socket as Socket;
    const { context } = this;
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
      if (socket.errored === null && !socket.destroyed) this.written(first);
      return;
    }
    // An empty write behind them is called back when they are done.
    const last = this.lastSend as SendRecord;
    socket.write(NO_BYTES, (error) => {
      if (last.connection === this) this.#writtenUpTo(last, error ?? undefined);
    });
  }

  #writtenUpTo(last: SendRecord, error: Error | undefined): void {
    for (let record = this.firstSend; record !== undefined; ) {
      const next: SendRecord | undefined = record === last ? undefined : record.next;
      this.onWritten(record, error);
      record = next;
    }
  }

  /** The write of `record` is done with its bytes. */
  onWritten(record: SendRecord, error: Error | undefined): void {
    const socket = this.#socket as Socket;
    // A destroyed socket calls the callbacks of its unfinished writes without an error too.
    if (error === undefined && (!socket.destroyed || this.#endedWell(socket))) {
      this.context.bytesSent += record.length;
      this.completeSend(record, record.length, 0);
      return;
    }
    const { result, systemError } = this.closing
      ? { result: ERROR_CANCELED, systemError: 0 }
      : (this.failure ?? failureOf(socket.errored ?? error));
    this.completeSend(record, result, systemError);
  }

  /** Both sides ended and the socket destroyed itself: its writes were done before. */
  #endedWell(socket: Socket): boolean {
    return this.shut && socket.writableFinished && !socket.errored;
  }

  protected endWriting(): void {
    (this.#socket as Socket).end((error?: Error | null) => {
      this.onShut(error === undefined || error === null ? undefined : failureOf(error));
    });
  }

  // ---------------------------------------------------------------- flow

  protected pauseReading(): void {
    if (!this.closed) this.#socket?.pause();
  }

  protected resumeReading(): void {
    if (!this.closed) this.#socket?.resume();
  }

  // ---------------------------------------------------------------- events of the socket

  onConnect(): void {
    const token = this.#connectToken;
    if (token === NO_TOKEN || this.closing) return;
    if (isItsOwnPeer(this.localAddress(), this.remoteAddress())) {
      this.#socket?.destroy(refusedByItself());
      return;
    }
    this.#connectToken = NO_TOKEN;
    this.context.forget(this);
    this.handle = this.context.openStream(this);
    this.context.count('connected');
    this.remember();
    this.context.reporter.finish(token, this.handle);
  }

  onData(chunk: Uint8Array): void {
    if (this.closing) return;
    if (!this.takeBytes(chunk, 0, chunk.length)) this.#socket?.pause();
  }

  onError(error: Error): void {
    this.fail(failureOf(error));
    this.context.count(this.#connectToken === NO_TOKEN ? 'streamErrors' : 'connectErrors');
  }

  protected override settle(): void {
    const token = this.#connectToken;
    if (token !== NO_TOKEN) {
      this.#connectToken = NO_TOKEN;
      const { result, systemError } = this.endedBy();
      this.context.reporter.finish(token, result, systemError);
      this.context.forget(this);
    }
    super.settle();
  }

  // ---------------------------------------------------------------- closing

  protected closeTransport(reset: boolean): void {
    const socket = this.#socket as Socket;
    if (this.#connectToken !== NO_TOKEN) socket.destroy();
    else if (reset) this.#reset(socket);
    else if (this.failure !== undefined || socket.writableLength > 0) socket.destroy();
    else this.#closeGently(socket);
  }

  /** FIN, then what the peer has sent up to now is read: closing over unread bytes would reset. */
  #closeGently(socket: Socket): void {
    if (this.shut && this.receiveEnded) {
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
      if (!this.ending) socket.end();
    }
  }

  #reset(socket: Socket): void {
    if (this.path !== undefined || typeof socket.resetAndDestroy !== 'function') socket.destroy();
    else if (this.ending && !socket.writableFinished && !socket.destroyed) {
      // Its FIN is under way; resetting now would fail and leave the socket open.
      socket.once('finish', () => socket.resetAndDestroy());
    } else socket.resetAndDestroy();
  }

  protected lostPeer(): boolean {
    return lostPeer(this.#socket);
  }

  // ---------------------------------------------------------------- the rest

  /** Has the socket look its addresses up while it can; it remembers them. */
  remember(): void {
    if (this.path !== undefined || this.closed) return;
    void this.#socket?.remoteAddress;
  }

  localAddress(): SocketAddress | undefined {
    if (this.path !== undefined) return { address: this.path, port: 0, family: 'path' };
    const socket = this.#socket;
    if (socket?.localAddress === undefined || socket.localPort === undefined) return this.#local;
    return {
      address: socket.localAddress,
      port: socket.localPort,
      family: socket.localFamily === 'IPv6' ? 'IPv6' : 'IPv4',
    };
  }

  remoteAddress(): SocketAddress | undefined {
    if (this.path !== undefined) return { address: this.path, port: 0, family: 'path' };
    const socket = this.#socket;
    if (socket?.remoteAddress === undefined || socket.remotePort === undefined) return undefined;
    return {
      address: socket.remoteAddress,
      port: socket.remotePort,
      family: socket.remoteFamily === 'IPv6' ? 'IPv6' : 'IPv4',
    };
  }

  configure(options: StreamOptions): void {
    if (this.path !== undefined || this.closed) return;
    this.#socket?.setNoDelay(options.noDelay);
    this.#socket?.setKeepAlive(options.keepAliveMs > 0, options.keepAliveMs);
  }

  setReferenced(referenced: boolean): void {
    if (referenced) this.#socket?.ref();
    else this.#socket?.unref();
  }
}
