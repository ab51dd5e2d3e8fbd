/** One TCP (or pipe) connection. */
import * as layout from '#generated/layout';
import type { SocketAddress } from '../backends/backend.ts';
import type { BatchGroup } from './batch.ts';
import { type Deferred, deferred } from './deferred.ts';
import type { Entity } from './entity.ts';
import { OverlappedError } from './errors.ts';
import type { Group } from './handlers.ts';
import { MessageQueue } from './message-queue.ts';
import type { Port } from './port.ts';
import { handleOf } from './record.ts';
import { type ConnectionStatistics, connectionStatistics } from './stats.ts';
import type { RemoteCall } from './workers/io/remote-connection.ts';

const RECORD = layout.Connection;
/** States in which the core takes no more sends. */
const SEND_OVER =
  layout.STATE_ENDING | layout.STATE_RESET | layout.STATE_CLOSE_SUBMITTED | layout.STATE_CLOSED;
/** States in which nothing more comes from the peer. */
const RECEIVE_OVER = layout.STATE_RECEIVE_ENDED | layout.STATE_CLOSE_SUBMITTED;

/** @internal What a connection is made from. */
export interface ConnectionOrigin<Message> {
  readonly port: Port;
  readonly slot: number;
  readonly token: number;
  readonly group: Group<Message>;
  /** Its OPEN event has been handled, by another thread. Default false. */
  readonly isOpen?: boolean;
}

/** The core's call for what another thread asks. */
const CALLS = {
  connectionEnd: layout.CALL_END,
  connectionClose: layout.CALL_CLOSE,
  connectionPause: layout.CALL_PAUSE,
  connectionHold: layout.CALL_HOLD,
} as const;
/** How often a worker of a shared port looks for what it waits for. */
const WATCH_MS = 5;

/**
 * A connection that speaks framed messages. Made by `listen` and `connect`, not
 * by hand. `send` copies; what handlers get is borrowed for the call.
 */
export class Connection<Message = Uint8Array> implements Entity {
  readonly port: Port;
  /**
   * Names this connection for good: no other one of this port, or of this server
   * with workers, ever has the same. Other threads reach it by this number
   * (`WorkerServer.connection`, `WorkerContext.connection`).
   */
  readonly id: number;
  /** The user's own. With several workers on one port each has its own: see `sharedState`. */
  data: unknown = undefined;

  readonly #slot: number;
  readonly #group: Group<Message>;
  #queue: MessageQueue<Message> | undefined;
  #drained: Deferred<void> | undefined;
  // Made when someone asks: ten thousand idle connections need none of them.
  #closed: Deferred<void> | undefined;
  #opening: Deferred<void> | undefined;
  #error: OverlappedError | undefined;
  #opened = false;
  #blocked = false;
  /** No more sends are taken. */
  #ended = false;
  /** The peer's side has ended. */
  #peerEnded = false;
  /** Closing: no handler but `error` and `close` is called any more. */
  #closing = false;
  #gone = false;
  #remote: SocketAddress | undefined;
  #local: SocketAddress | undefined;
  #lastStatistics: ConnectionStatistics | undefined;
  #watching: NodeJS.Timeout | undefined;

  /** @internal */
  constructor({ port, slot, token, group, isOpen = false }: ConnectionOrigin<Message>) {
    this.port = port;
    this.id = token + port.idBase;
    this.#slot = slot;
    this.#group = group;
    this.#opened = isOpen;
    if (group.handlers.message === undefined && group.batch === undefined && !port.isShared) {
      this.#queue = new MessageQueue(group.profile.values.highWaterMarkBytes, {
        hold: () => this.#call('connectionHold'),
        resume: () => this.resume(),
      });
    }
    port.entities[slot] = this;
    port.noteGroup(group.batch);
  }

  // ------------------------------------------------------------ sending

  /**
   * Queues one message; it leaves with everything else that is sent in this
   * turn. Bytes are copied; an object goes through the codec; text is UTF-8.
   * @returns false if more than the high-water mark is queued: wait for
   *   `drained()` or the `drain` handler. Nothing is ever dropped.
   *   Also false, with nothing queued, on a connection that the peer has just
   *   ended or reset: `close` follows. `sendConnected` tells.
   * @throws OverlappedError CLOSED after `end`, `close` or the `close` handler; NO_BUFFERS
   *   above `maxQueuedBytes`; FRAME_TOO_LONG or FRAME_MALFORMED if the framing
   *   cannot carry it; INVALID_OPTION for what is neither bytes nor text without
   *   a codec. Nothing was queued then.
   */
  send(message: Message | Uint8Array | string): boolean {
    return this.#send(this.#encode(message), false);
  }

  /** Queues bytes as they are, without a frame around them. Otherwise as `send`. */
  sendRaw(bytes: Uint8Array | string): boolean {
    return this.#send(bytes, true);
  }

  #encode(message: Message | Uint8Array | string): Uint8Array | string {
    const { codec } = this.#group;
    if (codec !== undefined) return codec.encode(message as Message);
    if (message instanceof Uint8Array || typeof message === 'string') return message;
    throw new OverlappedError(
      'INVALID_OPTION',
      `a message is ${typeof message}; allowed is a Uint8Array or a string, or anything with a codec`,
    );
  }

  #send(bytes: Uint8Array | string, isRaw: boolean): boolean {
    if (this.#ended || !this.#opened) throw this.#closedError();
    const result = this.#isElsewhere
      ? this.port.post(this.id, isRaw ? layout.CALL_SEND_RAW : layout.CALL_SEND, bytes)
      : this.port.send(this.#slot, bytes, isRaw);
    if (result === 1) return true;
    if (result === layout.ERROR_STALE_TOKEN) throw this.#closedError();
    // CLOSED though this side has not ended: the transport failed, and `error` and `close`
    // are about to say so. A peer's doing must not throw into whoever happens to be sending.
    if (result === 0 || result === layout.ERROR_CLOSED) {
      this.#blocked = true;
      return false;
    }
    throw this.port.countError(this.port.errorOf(result, 'send'));
  }

  /**
   * @internal Does what another thread asked.
   * @throws OverlappedError as the call itself
   */
  perform(call: RemoteCall, bytes: Uint8Array | string = ''): void {
    if (call === 'send') this.#send(bytes, false);
    else if (call === 'sendRaw') this.#send(bytes, true);
    else if (call === 'close') void this.close();
    else this[call]();
  }

  /** Another worker of a shared port has it, or none: calls are posted to whoever takes it next. */
  get #isElsewhere(): boolean {
    return this.port.isShared && !(this.#isCurrent && this.port.owns(this.#slot));
  }

  /** The record is still this connection's: another worker may have seen it closed. */
  get #isCurrent(): boolean {
    const { port } = this;
    return !port.isShared || port.core.f64[this.#word(RECORD.token) >>> 1] === this.id;
  }

  /** It is closed, whichever worker has seen that. */
  get #isOver(): boolean {
    return this.#gone || !this.#isCurrent;
  }

  #closedError(): OverlappedError {
    return new OverlappedError('CLOSED', 'the connection takes no more messages', {
      syscall: 'send',
      cause: this.#error,
    });
  }

  /** @internal A reply of a batch was refused: that ends the connection, because a reply is missing. */
  sendRefused(result: number): void {
    if (this.#ended) return;
    this.#report(this.port.errorOf(result, 'send'));
    this.#ended = true;
    this.#abort(result);
  }

  /**
   * Resolves when more is welcome after `send` returned false, at once if it is.
   * @throws OverlappedError (rejects) if the connection closes before that
   */
  drained(): Promise<void> {
    if (this.#isOver || this.#error) return Promise.reject(this.#error ?? this.#closedError());
    if (!this.#isBlocked()) return Promise.resolve();
    this.#drained ??= deferred();
    this.#watch();
    return this.#drained.promise;
  }

  /**
   * On a shared port the event that is waited for may go to another worker: this
   * one looks for itself.
   */
  #watch(): void {
    if (!this.port.isShared || this.#watching !== undefined) return;
    this.#watching = setTimeout(() => {
      this.#watching = undefined;
      if (this.#isOver) this.#vanish();
      else if (this.#drained !== undefined && !this.#isBlocked()) {
        this.#drained.resolve();
        this.#drained = undefined;
      }
      if (this.#drained !== undefined || (this.#closed !== undefined && !this.#gone)) this.#watch();
    }, WATCH_MS);
  }

  /** Another worker has seen it closed. */
  #vanish(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#ended = true;
    this.#closing = true;
    this.#drained?.reject(this.#closedError());
    this.#drained = undefined;
    this.#closed?.resolve();
  }

  #isBlocked(): boolean {
    // Other workers' sends and drains are not told to this object.
    if (this.#blocked && !this.port.isShared) return true;
    // Replies of a batch block without telling this object.
    return (this.#field(RECORD.state) & layout.STATE_BLOCKED) !== 0;
  }

  // ------------------------------------------------------------ ending

  /** Half-close: what is queued is sent, then the peer sees the end. Receiving goes on. */
  end(): void {
    if (this.#ended || this.#isOver) return;
    this.#ended = true;
    this.#call('connectionEnd');
  }

  /**
   * Closes in order: sends what is queued, ends, drops what still comes in,
   * waits for the peer's end (at most `closeTimeoutMs`). Resolves once closed;
   * never rejects: `error` tells how it ended.
   */
  close(): Promise<void> {
    if (!this.#isOver && !this.#closing) {
      this.#closing = true;
      this.#ended = true;
      this.#call('connectionClose');
      this.#watchClose();
    }
    return this.closed;
  }

  /** Resets the connection: nothing queued is sent, the peer sees RESET. */
  abort(): void {
    this.#abort(layout.ERROR_ABORTED);
  }

  #abort(error: number): void {
    if (this.#isOver) return;
    this.#ended = true;
    this.#closing = true;
    if (this.#isElsewhere) {
      this.port.post(this.id, layout.CALL_ABORT, error);
      return;
    }
    this.port.core.exports.connectionAbort(this.port.regions.worker, this.#slot, error);
    this.port.scheduleFlush();
  }

  /** Resolves once closed, however it ended; `error` tells. */
  get closed(): Promise<void> {
    if (this.#isOver && this.#closed === undefined) return Promise.resolve();
    this.#closed ??= deferred();
    this.#watch();
    return this.#closed.promise;
  }

  /** Why it failed, once it has. */
  get error(): OverlappedError | undefined {
    return this.#error;
  }

  shutDown(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ------------------------------------------------------------ receiving

  /** No more messages until `resume`; the peer is held back once buffers and windows are full. */
  pause(): void {
    if (!this.#isOver) this.#call('connectionPause');
  }

  resume(): void {
    if (this.#isOver) return;
    if (this.#isElsewhere) {
      this.port.post(this.id, layout.CALL_RESUME, 0);
      return;
    }
    const { exports } = this.port.core;
    const waiting = exports.connectionResume(this.port.regions.worker, this.#slot);
    this.port.scheduleFlush();
    if (waiting !== 0) this.port.scheduleTurn();
  }

  /**
   * The messages, owned (bytes are copies). Ends when the peer ends; throws what
   * ended it otherwise. While the consumer lags by more than the high-water mark
   * the connection stops reading. Leaving the loop closes the connection.
   * @throws OverlappedError INVALID_OPTION if a `message` or `messages` handler takes them
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    if (this.port.isShared) {
      throw new OverlappedError(
        'NOT_SUPPORTED',
        'the messages of a shared port go to handlers, in whichever worker takes them',
      );
    }
    if (this.#queue === undefined) {
      throw new OverlappedError(
        'INVALID_OPTION',
        'the messages of this connection go to its handler; leave `message` and `messages` out to iterate',
      );
    }
    return this.#queue.iterate(() => void this.close());
  }

  // ------------------------------------------------------------ facts

  /** This side may still send (R14). */
  get sendConnected(): boolean {
    if (!this.#opened || this.#ended || this.#isOver) return false;
    return (this.#field(RECORD.state) & SEND_OVER) === 0;
  }

  /** The peer may still send (R14). */
  get receiveConnected(): boolean {
    if (!this.#opened || this.#peerEnded || this.#isOver) return false;
    return (this.#field(RECORD.state) & RECEIVE_OVER) === 0;
  }

  /** Bytes accepted by `send` and not yet taken by the system. */
  get queuedBytes(): number {
    return this.#isOver ? 0 : this.#field(RECORD.queuedBytes);
  }

  /**
   * Bytes of the port's option `stateBytes` that belong to the connection, zero as
   * it opens: where several workers share a port, all see the same. Handlers of a
   * connection run one at a time, so it needs no lock in there. Undefined once the
   * connection has closed.
   */
  get sharedState(): Uint8Array | undefined {
    const { stateOffset, stateBytes } = this.port.regions;
    if (this.#isOver) return undefined;
    const at = this.port.recordOf(this.#slot) + stateOffset;
    return this.port.core.u8.subarray(at, at + stateBytes);
  }

  get remoteAddress(): SocketAddress | undefined {
    if (!this.#isOver && this.#opened) {
      this.#remote ??= this.port.driver.remoteAddress(this.#handle);
    }
    return this.#remote;
  }

  get localAddress(): SocketAddress | undefined {
    if (!this.#isOver && this.#opened) {
      this.#local ??= this.port.driver.localAddress(this.#handle);
    }
    return this.#local;
  }

  statistics(): ConnectionStatistics {
    if (this.#lastStatistics !== undefined) return this.#lastStatistics;
    return connectionStatistics(this.port.core, this.port.recordOf(this.#slot));
  }

  /** @throws OverlappedError CLOSED */
  configure(options: { readonly noDelay: boolean; readonly keepAliveMs: number }): void {
    if (this.#isOver || !this.#opened) throw this.#closedError();
    this.port.driver.configure(this.#handle, options);
  }

  /** Does not keep the host's process alive. */
  unref(): void {
    if (!this.#isOver) this.port.driver.setReferenced(this.#handle, false);
  }

  ref(): void {
    if (!this.#isOver) this.port.driver.setReferenced(this.#handle, true);
  }

  get #handle(): number {
    return handleOf(this.port, this.#slot);
  }

  #word(offset: number): number {
    return (this.port.recordOf(this.#slot) + offset) >>> 2;
  }

  #field(offset: number): number {
    return this.port.core.u32[this.#word(offset)] as number;
  }

  #call(name: 'connectionEnd' | 'connectionClose' | 'connectionPause' | 'connectionHold'): void {
    if (this.#isElsewhere) {
      this.port.post(this.id, CALLS[name], 0);
      return;
    }
    this.port.core.exports[name](this.port.regions.worker, this.#slot);
    this.port.scheduleFlush();
    if (name === 'connectionClose') this.port.scheduleTurn();
  }

  // ------------------------------------------------------------ events

  /** @internal Resolves when it is open; rejects with why it never was. */
  get opening(): Promise<void> {
    this.#opening ??= deferred();
    return this.#opening.promise;
  }

  /** @internal */
  get batchGroup(): BatchGroup | undefined {
    return this.#closing ? undefined : this.#group.batch;
  }

  /** @internal */
  get hasTimeLimit(): boolean {
    const { idleTimeoutMs, firstMessageTimeoutMs } = this.#group.profile.values;
    if (this.#closing || this.#peerEnded) return true;
    return idleTimeoutMs + firstMessageTimeoutMs > 0;
  }

  /** It ends by itself now, or when its time for that is up. */
  #watchClose(): void {
    const { closeTimeoutMs } = this.#group.profile.values;
    if (closeTimeoutMs > 0) this.port.watchTimeouts(closeTimeoutMs);
  }

  /** @internal */
  handle(kind: number, offset: number, length: number): void {
    if (this.port.isShared) this.#catchUp();
    try {
      if (kind === layout.EVENT_MESSAGE) {
        if (!this.#closing) this.#message(offset, length);
      } else this.#dispatch(kind, offset, length);
    } catch (exception) {
      this.thrown(exception);
    }
  }

  /** @internal A handler threw: in a worker of a shared port that is the end of this connection, too. */
  thrown(exception: unknown): void {
    if (this.port.isShared) this.abort();
    this.port.surface(exception);
  }

  /** What other workers' handlers and calls have done to it since this one had it. */
  #catchUp(): void {
    const state = this.#field(RECORD.state);
    if ((state & (layout.STATE_DISCARD | layout.STATE_RESET)) !== 0) this.#closing = true;
    if ((state & layout.STATE_RECEIVE_FINISHED) !== 0) this.#peerEnded = true;
  }

  #dispatch(kind: number, offset: number, length: number): void {
    switch (kind) {
      case layout.EVENT_OPEN:
        this.#open();
        break;
      case layout.EVENT_END:
        this.#peerEnded = true;
        this.#watchClose();
        this.#queue?.end(undefined);
        if (!this.#closing) this.#group.handlers.end?.(this);
        break;
      case layout.EVENT_DRAIN:
        this.#blocked = false;
        this.#drained?.resolve();
        this.#drained = undefined;
        if (!this.#closing) this.#group.handlers.drain?.(this);
        break;
      case layout.EVENT_OVERSIZE:
        if (!this.#closing) {
          this.#report(
            new OverlappedError('FRAME_TOO_LONG', `a frame of ${length} bytes was skipped`),
          );
        }
        break;
      case layout.EVENT_ERROR:
        this.#failed(this.port.errorOf(offset | 0, 'receive', length));
        break;
      case layout.EVENT_CLOSE:
        this.#close(offset | 0, length);
        break;
    }
  }

  #open(): void {
    this.#opened = true;
    const { idleTimeoutMs, firstMessageTimeoutMs } = this.#group.profile.values;
    if (idleTimeoutMs > 0) this.port.watchTimeouts(idleTimeoutMs);
    if (firstMessageTimeoutMs > 0) this.port.watchTimeouts(firstMessageTimeoutMs);
    this.#opening?.resolve();
    this.#group.handlers.open?.(this);
  }

  #message(offset: number, length: number): void {
    const { codec, handlers } = this.#group;
    const bytes = this.port.borrow(offset, length);
    if (codec === undefined) {
      if (this.#queue === undefined) handlers.message?.(this, bytes as Message);
      else this.#queue.push(bytes.slice() as Message, length);
      return;
    }
    let message: Message;
    try {
      message = codec.decode(bytes);
    } catch (cause) {
      this.#malformed(cause);
      return;
    }
    if (this.#queue === undefined) handlers.message?.(this, message);
    else this.#queue.push(message, length);
  }

  #malformed(cause: unknown): void {
    const error = new OverlappedError('MESSAGE_MALFORMED', undefined, { syscall: 'decode', cause });
    const { exports } = this.port.core;
    const { worker } = this.port.regions;
    exports.connectionReject(worker, this.#slot, layout.ERROR_MESSAGE_MALFORMED);
    this.#failed(error);
  }

  /** Reported once; the connection closes by itself, and takes a last message until then. */
  #failed(error: OverlappedError): void {
    this.#error ??= error;
    this.#watchClose();
    this.#queue?.end(error);
    this.#drained?.reject(error);
    this.#drained = undefined;
    const quiet = this.#closing;
    if (!quiet) this.#report(error);
    this.#closing = true;
  }

  #openingError(result: number, systemError: number): OverlappedError {
    return this.port.errorOf(result || layout.ERROR_CANCELED, 'connect', systemError);
  }

  #report(error: OverlappedError): void {
    this.port.countError(error);
    try {
      this.#group.handlers.error?.(this, error);
    } catch (exception) {
      this.port.surface(exception);
    }
  }

  #close(result: number, systemError: number): void {
    this.#lastStatistics = connectionStatistics(this.port.core, this.port.recordOf(this.#slot));
    if (result < 0) this.#error ??= this.port.errorOf(result, 'connection', systemError);
    this.#gone = true;
    this.#ended = true;
    this.#closing = true;
    this.port.entities[this.#slot] = undefined;
    this.port.profiles.release(this.#group.profile);
    this.#queue?.end(this.#error);
    this.#drained?.reject(this.#error ?? this.#closedError());
    this.#drained?.promise.catch(() => {});
    this.#group.onGone?.(this);
    this.#opening?.reject(this.#openingError(result, systemError));
    try {
      if (this.#opened) this.#group.handlers.close?.(this, this.#error);
    } finally {
      this.#closed?.resolve();
    }
  }
}
