/** One stream socket of Bun: reads, partial writes, both halves' ends, and its close. */
import { ERROR_BROKEN_PIPE, ERROR_CANCELED, ERROR_CLOSED, ERROR_RESET } from '#generated/layout';
import type { SocketAddress, StreamOptions } from '../backend.ts';
import type { Entry } from '../stream/driver.ts';
import { type Failure, failureOf } from '../stream/failure.ts';
import { isItsOwnPeer, refusedByItself } from '../stream/itself.ts';
import { NO_TOKEN, type OperationOwner } from '../stream/reporter.ts';
import type { BunSocket } from './bun-api.ts';
import type { BunContext } from './context.ts';
import { BunReceiver } from './receiver.ts';
import { SendQueue } from './send-queue.ts';

const CANCELED: Failure = { result: ERROR_CANCELED, systemError: 0 };
const RESET: Failure = { result: ERROR_RESET, systemError: 0 };
/**
 * From this many bytes on a chunk is handled within its event, not after all sockets have been
 * read: its copies, and the answers to it, then still lie in the processor's cache.
 */
const PROMPT_BYTES = 16_384;
const BROKEN_PIPE: Failure = { result: ERROR_BROKEN_PIPE, systemError: 0 };

export class BunConnection implements Entry, OperationOwner {
  handle = NO_TOKEN;
  readonly receiver: BunReceiver;
  readonly #context: BunContext;
  readonly #path: string | undefined;
  #options: StreamOptions;
  #socket: BunSocket<BunConnection | undefined> | undefined;
  #connectToken = NO_TOKEN;
  #shutdownToken = NO_TOKEN;
  #closeToken = NO_TOKEN;
  #closing = false;
  /** A shutdown was asked for. */
  #shut = false;
  /** The socket has been told to end its send side. */
  #ended = false;
  #socketClosed = false;
  #failure: Failure | undefined;
  readonly #sends = new SendQueue();
  #dirty = false;
  /** The system took less than it was given: nothing is written until it drains. */
  #blocked = false;
  #local: SocketAddress | undefined;
  #remote: SocketAddress | undefined;

  constructor(context: BunContext, path: string | undefined, options: StreamOptions) {
    this.#context = context;
    this.#path = path;
    this.#options = options;
    this.receiver = new BunReceiver(context.reporter, this);
  }

  /** The connect has begun. */
  connecting(token: number): void {
    this.#connectToken = token;
    this.#context.begun.add(this);
  }

  // ---------------------------------------------------------------- events of the socket

  onOpen(socket: BunSocket<BunConnection | undefined>): void {
    this.#socket = socket;
    const token = this.#connectToken;
    if (this.#closing) {
      this.#context.begun.delete(this);
      socket.terminate();
      return;
    }
    socket.pause();
    if (this.#path === undefined) {
      socket.setNoDelay(this.#options.noDelay);
      const { keepAliveMs } = this.#options;
      if (keepAliveMs > 0) socket.setKeepAlive(true, keepAliveMs);
    }
    this.#remember(socket);
    if (token === NO_TOKEN) return;
    if (isItsOwnPeer(this.#local, this.#remote)) {
      this.#closing = true;
      socket.terminate();
      this.onConnectError(refusedByItself());
      return;
    }
    this.#connectToken = NO_TOKEN;
    this.#context.begun.delete(this);
    this.#context.count('connected');
    this.handle = this.#context.openStream(this);
    this.#context.reporter.finish(token, this.handle);
  }

  onConnectError(error: unknown): void {
    this.#context.begun.delete(this);
    const token = this.#connectToken;
    if (token === NO_TOKEN) return;
    this.#connectToken = NO_TOKEN;
    this.#context.count('connectErrors');
    this.#finishFailed(token, failureOf(error));
  }

  onData(chunk: Uint8Array): void {
    const { pacer, reporter } = this.#context;
    const prompt = chunk.length >= PROMPT_BYTES;
    if (prompt) pacer.hold();
    // Completions are held back and reported together in the pass: one by one between the
    // host's own calls each would find the core's code and data out of the cache.
    reporter.enter();
    if (!this.receiver.take(chunk)) this.pauseReading();
    reporter.leave();
    if (prompt) pacer.runNow();
    else pacer.leave();
  }

  onDrain(): void {
    this.#blocked = false;
    this.#write();
  }

  onEnd(): void {
    this.receiver.end(0);
  }

  onError(error: unknown): void {
    this.#context.count('streamErrors');
    const failure = failureOf(error);
    this.#failure ??= failure;
    if (this.#closing) return;
    const broken = failure.result === ERROR_BROKEN_PIPE;
    this.receiver.end(broken ? ERROR_RESET : failure.result, failure.systemError);
  }

  onClose(error: unknown): void {
    if (this.#socketClosed) return;
    if (error !== undefined && error !== null) this.onError(error);
    // After our own shutdown Bun reports the peer's end as a close without an error.
    else if (this.#ended && !this.#closing) this.receiver.end(0);
    this.#socketClosed = true;
    this.#settle();
  }

  // ---------------------------------------------------------------- operations

  receive(token: number): void {
    this.receiver.arm(token);
  }

  send(token: number, offset: number, length: number): void {
    const refused = this.#refusal();
    if (refused !== undefined) {
      this.#finishFailed(token, refused);
      return;
    }
    this.#sends.push(token, offset, length);
    if (this.#dirty || this.#blocked) return;
    this.#dirty = true;
    this.#context.dirty.push(this);
  }

  flush(): void {
    this.#dirty = false;
    if (!this.#blocked) this.#write();
  }

  shutdown(token: number): void {
    const refused = this.#shut ? undefined : this.#refusal();
    if (refused !== undefined) {
      this.#finishFailed(token, refused);
      return;
    }
    if (this.#shut) {
      this.#context.reporter.finish(token, 0);
      return;
    }
    this.#shut = true;
    this.#shutdownToken = token;
    this.flush();
    this.#endIfWritten();
  }

  close(token: number, reset: boolean): void {
    this.#closeToken = token;
    if (!reset) this.flush();
    this.abandon(reset);
  }

  abandon(reset: boolean): void {
    this.#closing = true;
    this.receiver.discard();
    this.receiver.cancel();
    const socket = this.#socket;
    if (socket === undefined) {
      // Still connecting: Bun cannot call that off, so it is dropped when it opens.
      const token = this.#connectToken;
      this.#connectToken = NO_TOKEN;
      this.#finishFailed(token, CANCELED);
    } else if (this.#socketClosed) this.#context.reporter.defer({ run: () => this.#settle() });
    else if (reset) socket.terminate();
    else if (!this.#sends.empty || this.#failure !== undefined) socket.close();
    else this.#closeGently(socket);
  }

  cancel(token: number): void {
    if (token === this.receiver.token) this.receiver.cancel();
    else if (token === this.#connectToken) this.abandon(true);
    else this.#takeBack(token);
  }

  // ---------------------------------------------------------------- flow

  pauseReading(): void {
    if (!this.#socketClosed) this.#socket?.pause();
  }

  resumeReading(): void {
    if (!this.#socketClosed) this.#socket?.resume();
  }

  // ---------------------------------------------------------------- addresses and options

  localAddress(): SocketAddress | undefined {
    return this.#local;
  }

  remoteAddress(): SocketAddress | undefined {
    return this.#remote;
  }

  configure(options: StreamOptions): void {
    this.#options = options;
    if (this.#path !== undefined || this.#socketClosed) return;
    this.#socket?.setNoDelay(options.noDelay);
    this.#socket?.setKeepAlive(options.keepAliveMs > 0, options.keepAliveMs);
  }

  setReferenced(referenced: boolean): void {
    if (this.#socketClosed) return;
    if (referenced) this.#socket?.ref();
    else this.#socket?.unref();
  }

  #remember(socket: BunSocket<BunConnection | undefined>): void {
    if (this.#path !== undefined) {
      this.#local = { address: this.#path, port: 0, family: 'path' };
      this.#remote = this.#local;
      return;
    }
    this.#local = addressOf(socket.localAddress, socket.localPort, socket.localFamily);
    this.#remote = addressOf(socket.remoteAddress, socket.remotePort, socket.remoteFamily);
  }

  // ---------------------------------------------------------------- writing

  /** Gives the system what is pending, as far as it takes it. */
  #write(): void {
    const sends = this.#sends;
    const socket = this.#socket;
    if (socket === undefined || this.#socketClosed) return;
    const { memory, reporter } = this.#context;
    while (!sends.empty) {
      const { token, length } = sends;
      const taken = socket.write(memory, sends.offset, sends.remaining);
      // The socket may have closed within the call; then everything was settled.
      if (this.#socketClosed || taken < 0) break;
      if (taken < sends.remaining) {
        sends.taken(taken);
        this.#blocked = true;
        this.#context.count('partialWrites');
        break;
      }
      sends.next();
      this.#context.bytesSent += length;
      reporter.finish(token, length);
    }
    if (this.#shutdownToken !== NO_TOKEN) this.#endIfWritten();
  }

  #endIfWritten(): void {
    const token = this.#shutdownToken;
    if (token === NO_TOKEN || !this.#sends.empty || this.#socketClosed) return;
    this.#shutdownToken = NO_TOKEN;
    this.#ended = true;
    this.#context.reporter.finish(token, 0);
    this.#socket?.shutdown();
  }

  /** A send of which nothing was written can be taken back. */
  #takeBack(token: number): void {
    if (!this.#sends.takeBack(token)) return;
    this.#context.reporter.finish(token, ERROR_CANCELED);
    this.#endIfWritten();
  }

  #refusal(): Failure | undefined {
    if (this.#failure !== undefined) return this.#failure;
    if (this.#shut || this.#socketClosed) return BROKEN_PIPE;
    if (this.#closing) return { result: ERROR_CLOSED, systemError: 0 };
    return undefined;
  }

  #finishFailed(token: number, failure: Failure): void {
    this.#context.reporter.finish(token, failure.result, failure.systemError);
  }

  // ---------------------------------------------------------------- closing

  /** FIN, then what the peer has sent up to now is read: closing over unread bytes would reset. */
  #closeGently(socket: BunSocket<BunConnection | undefined>): void {
    if (!this.#ended) {
      this.#ended = true;
      socket.shutdown();
    }
    // `shutdown` closes at once where the peer has ended.
    if (this.#socketClosed) return;
    socket.resume();
    setImmediate(() => {
      if (!this.#socketClosed) socket.close();
    });
  }

  /** The socket is closed: whatever has not completed does so now, the close last. */
  #settle(): void {
    const { reporter } = this.#context;
    const failure = this.#closing ? CANCELED : (this.#failure ?? RESET);
    this.receiver.end(failure.result, failure.systemError);
    const sends = this.#sends;
    while (!sends.empty) {
      const { token } = sends;
      sends.next();
      this.#finishFailed(token, failure);
    }
    if (this.#shutdownToken !== NO_TOKEN) {
      const token = this.#shutdownToken;
      this.#shutdownToken = NO_TOKEN;
      this.#finishFailed(token, failure);
    }
    if (!this.#closing || this.handle === NO_TOKEN) return;
    const handle = this.handle;
    this.handle = NO_TOKEN;
    this.#context.closedStream(handle);
    if (this.#closeToken !== NO_TOKEN) reporter.finish(this.#closeToken, 0);
  }
}

function addressOf(
  address: string | undefined,
  port: number | undefined,
  family: string | undefined,
): SocketAddress | undefined {
  if (address === undefined || port === undefined) return undefined;
  return { address, port, family: family === 'IPv6' || address.includes(':') ? 'IPv6' : 'IPv4' };
}
