/** One TCP (or pipe) connection, as programs have it: its calls and its facts. */
import * as layout from '#generated/layout';
import type { SocketAddress } from '../backends/backend.ts';
import type { BatchGroup } from './batch.ts';
import { handleEvent, reportError } from './connection-events.ts';
import { type ConnectionOrigin, ConnectionState } from './connection-state.ts';
import type { Entity } from './entity.ts';
import { OverlappedError } from './errors.ts';
import type { Port } from './port.ts';
import type { ConnectionStatistics } from './stats.ts';
import type { RemoteCall } from './workers/io/remote-connection.ts';

const RECORD = layout.Connection;
/** States in which the core takes no more sends. */
const SEND_OVER =
  layout.STATE_ENDING | layout.STATE_RESET | layout.STATE_CLOSE_SUBMITTED | layout.STATE_CLOSED;
/** States in which nothing more comes from the peer. */
const RECEIVE_OVER = layout.STATE_RECEIVE_ENDED | layout.STATE_CLOSE_SUBMITTED;

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

  readonly #state: ConnectionState<Message>;
  #remote: SocketAddress | undefined;
  #local: SocketAddress | undefined;

  /** @internal */
  constructor(origin: ConnectionOrigin<Message>) {
    const { port, slot, token, group } = origin;
    this.port = port;
    this.id = token + port.idBase;
    this.#state = port.share?.stateOf(origin) ?? new ConnectionState(origin);
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
    const { codec } = this.#state.group;
    if (codec !== undefined) return codec.encode(message as Message);
    if (message instanceof Uint8Array || typeof message === 'string') return message;
    throw new OverlappedError(
      'INVALID_OPTION',
      `a message is ${typeof message}; allowed is a Uint8Array or a string, or anything with a codec`,
    );
  }

  #send(bytes: Uint8Array | string, isRaw: boolean): boolean {
    const state = this.#state;
    if (state.ended || !state.opened) throw state.closedError();
    const result = state.send(bytes, isRaw);
    if (result === 1) return true;
    if (result === layout.ERROR_STALE_TOKEN) throw state.closedError();
    // CLOSED though this side has not ended: the transport failed, and `error` and `close`
    // are about to say so. A peer's doing must not throw into whoever happens to be sending.
    if (result === 0 || result === layout.ERROR_CLOSED) {
      state.blocked = true;
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

  /** @internal A reply of a batch was refused: that ends the connection, because a reply is missing. */
  sendRefused(result: number): void {
    const state = this.#state;
    if (state.ended) return;
    reportError(this, state, this.port.errorOf(result, 'send'));
    state.ended = true;
    state.reset(result);
  }

  /**
   * Resolves when more is welcome after `send` returned false, at once if it is.
   * @throws OverlappedError (rejects) if the connection closes before that
   */
  drained(): Promise<void> {
    return this.#state.drained();
  }

  // ------------------------------------------------------------ ending

  /** Half-close: what is queued is sent, then the peer sees the end. Receiving goes on. */
  end(): void {
    const state = this.#state;
    if (state.ended || state.isOver) return;
    state.ended = true;
    state.call('connectionEnd');
  }

  /**
   * Closes in order: sends what is queued, ends, drops what still comes in,
   * waits for the peer's end (at most `closeTimeoutMs`). Resolves once closed;
   * never rejects: `error` tells how it ended.
   */
  close(): Promise<void> {
    const state = this.#state;
    if (!state.isOver && !state.closing) {
      state.closing = true;
      state.ended = true;
      state.call('connectionClose');
      state.watchClose();
    }
    return state.closed();
  }

  /** Resets the connection: nothing queued is sent, the peer sees RESET. */
  abort(): void {
    this.#state.reset(layout.ERROR_ABORTED);
  }

  /** Resolves once closed, however it ended; `error` tells. */
  get closed(): Promise<void> {
    return this.#state.closed();
  }

  /** Why it failed, once it has. */
  get error(): OverlappedError | undefined {
    return this.#state.error;
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
    if (!this.#state.isOver) this.#state.call('connectionPause');
  }

  resume(): void {
    this.#state.resume();
  }

  /**
   * The messages, owned (bytes are copies). Ends when the peer ends; throws what
   * ended it otherwise. While the consumer lags by more than the high-water mark
   * the connection stops reading. Leaving the loop closes the connection.
   * @throws OverlappedError INVALID_OPTION if a `message` or `messages` handler takes them
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return this.#state.messages(() => void this.close());
  }

  // ------------------------------------------------------------ facts

  /** This side may still send (R14). */
  get sendConnected(): boolean {
    const state = this.#state;
    if (!state.opened || state.ended || state.isOver) return false;
    return (state.field(RECORD.state) & SEND_OVER) === 0;
  }

  /** The peer may still send (R14). */
  get receiveConnected(): boolean {
    const state = this.#state;
    if (!state.opened || state.peerEnded || state.isOver) return false;
    return (state.field(RECORD.state) & RECEIVE_OVER) === 0;
  }

  /** Bytes accepted by `send` and not yet taken by the system. */
  get queuedBytes(): number {
    return this.#state.isOver ? 0 : this.#state.field(RECORD.queuedBytes);
  }

  /**
   * Bytes of the port's option `stateBytes` that belong to the connection, zero as
   * it opens: where several workers share a port, all see the same. Handlers of a
   * connection run one at a time, so it needs no lock in there. Undefined once the
   * connection has closed.
   */
  get sharedState(): Uint8Array | undefined {
    const { stateOffset, stateBytes } = this.port.regions;
    if (this.#state.isOver) return undefined;
    const at = this.port.recordOf(this.#state.slot) + stateOffset;
    return this.port.core.u8.subarray(at, at + stateBytes);
  }

  get remoteAddress(): SocketAddress | undefined {
    if (this.#hasSocket) this.#remote ??= this.port.driver.remoteAddress(this.#state.handle);
    return this.#remote;
  }

  get localAddress(): SocketAddress | undefined {
    if (this.#hasSocket) this.#local ??= this.port.driver.localAddress(this.#state.handle);
    return this.#local;
  }

  statistics(): ConnectionStatistics {
    return this.#state.statistics();
  }

  /** @throws OverlappedError CLOSED */
  configure(options: { readonly noDelay: boolean; readonly keepAliveMs: number }): void {
    if (!this.#hasSocket) throw this.#state.closedError();
    this.port.driver.configure(this.#state.handle, options);
  }

  /** Does not keep the host's process alive. */
  unref(): void {
    if (!this.#state.isOver) this.port.driver.setReferenced(this.#state.handle, false);
  }

  ref(): void {
    if (!this.#state.isOver) this.port.driver.setReferenced(this.#state.handle, true);
  }

  get #hasSocket(): boolean {
    return this.#state.opened && !this.#state.isOver;
  }

  // ------------------------------------------------------------ for the port

  /** @internal Resolves when it is open; rejects with why it never was. */
  get opening(): Promise<void> {
    return this.#state.waits.opening();
  }

  /** @internal */
  get batchGroup(): BatchGroup | undefined {
    const state = this.#state;
    return state.closing ? undefined : state.group.batch;
  }

  /** @internal */
  get hasTimeLimit(): boolean {
    return this.#state.hasTimeLimit;
  }

  /** @internal */
  handle(kind: number, offset: number, length: number): void {
    handleEvent(this, this.#state, kind, offset, length);
  }

  /** @internal A handler of its group has thrown: see `ConnectionState.fault`. */
  fault(): void {
    this.#state.fault();
  }
}
