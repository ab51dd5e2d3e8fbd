/** What is known of a connection, and its record in the core. */
import * as layout from '#generated/layout';
import { ConnectionWaits } from './connection-waits.ts';
import { OverlappedError } from './errors.ts';
import type { Group } from './handlers.ts';
import { MessageQueue } from './message-queue.ts';
import type { Port } from './port.ts';
import { type ConnectionStatistics, connectionStatistics } from './stats.ts';

/** @internal What a connection is made from. */
export interface ConnectionOrigin<Message> {
  readonly port: Port;
  readonly slot: number;
  readonly token: number;
  readonly group: Group<Message>;
  /** Its OPEN event has been handled, by another thread. Default false. */
  readonly isOpen?: boolean;
}

/** What is asked of a connection and needs nothing besides. */
export type PlainCall = 'connectionEnd' | 'connectionClose' | 'connectionPause' | 'connectionHold';

/**
 * @internal The state of a connection whose record is this thread's. On a port
 * that threads share it is a `SharedState`, which overrides what differs there.
 */
export class ConnectionState<Message> {
  readonly port: Port;
  readonly slot: number;
  readonly group: Group<Message>;
  /** Where no handler takes the messages. */
  readonly queue: MessageQueue<Message> | undefined;
  error: OverlappedError | undefined;
  opened: boolean;
  /** `send` has returned false. */
  blocked = false;
  /** No more sends are taken. */
  ended = false;
  /** The peer's side has ended. */
  peerEnded = false;
  /** Closing: no handler but `error` and `close` is called any more. */
  closing = false;
  /** Closed, as far as this thread has seen. */
  gone = false;
  /** As it closed. */
  lastStatistics: ConnectionStatistics | undefined;
  #waits: ConnectionWaits | undefined;

  constructor({ port, slot, group, isOpen = false }: ConnectionOrigin<Message>) {
    this.port = port;
    this.slot = slot;
    this.group = group;
    this.opened = isOpen;
    this.queue = this.createQueue();
  }

  protected createQueue(): MessageQueue<Message> | undefined {
    const { handlers, batch, profile } = this.group;
    if (handlers.message !== undefined || batch !== undefined) return undefined;
    return new MessageQueue(profile.values.highWaterMarkBytes, {
      hold: () => this.call('connectionHold'),
      resume: () => this.resume(),
    });
  }

  // ------------------------------------------------------------ calls

  /** @returns as `Port.send` */
  send(bytes: Uint8Array | string, isRaw: boolean): number {
    return this.port.send(this.slot, bytes, isRaw);
  }

  call(name: PlainCall): void {
    const { port } = this;
    port.core.exports[name](port.regions.worker, this.slot);
    port.scheduleFlush();
    if (name === 'connectionClose') port.scheduleTurn();
  }

  resume(): void {
    if (this.isOver) return;
    const { port } = this;
    const waiting = port.core.exports.connectionResume(port.regions.worker, this.slot);
    port.scheduleFlush();
    if (waiting !== 0) port.scheduleTurn();
  }

  /** Resets it; `error` is what its close reports. */
  reset(error: number): void {
    if (this.isOver) return;
    this.ended = true;
    this.closing = true;
    this.abort(error);
  }

  protected abort(error: number): void {
    const { port } = this;
    port.core.exports.connectionAbort(port.regions.worker, this.slot, error);
    port.scheduleFlush();
  }

  // ------------------------------------------------------------ facts

  /** It is closed, whoever has seen that. */
  get isOver(): boolean {
    return this.gone;
  }

  /** More is not welcome. */
  get isBlocked(): boolean {
    // Replies of a batch block without telling this object.
    return this.blocked || (this.field(layout.Connection.state) & layout.STATE_BLOCKED) !== 0;
  }

  /** The port must look at it for time limits. */
  get hasTimeLimit(): boolean {
    const { idleTimeoutMs, firstMessageTimeoutMs } = this.group.profile.values;
    if (this.closing || this.peerEnded) return true;
    return idleTimeoutMs + firstMessageTimeoutMs > 0;
  }

  /** A field of the record: an offset of `layout.Connection`. */
  field(offset: number): number {
    return this.port.core.u32[(this.port.recordOf(this.slot) + offset) >>> 2] as number;
  }

  /** The backend's handle of it. */
  get handle(): number {
    return this.field(layout.Connection.handle) | 0;
  }

  statistics(): ConnectionStatistics {
    const { port, slot } = this;
    return this.lastStatistics ?? connectionStatistics(port.core, port.recordOf(slot));
  }

  closedError(): OverlappedError {
    return new OverlappedError('CLOSED', 'the connection takes no more messages', {
      syscall: 'send',
      cause: this.error,
    });
  }

  /** @throws OverlappedError INVALID_OPTION, NOT_SUPPORTED where there is no queue */
  messages(leave: () => void): AsyncGenerator<Message, void, undefined> {
    if (this.queue === undefined) {
      throw new OverlappedError(
        'INVALID_OPTION',
        'the messages of this connection go to its handler; leave `message` and `messages` out to iterate',
      );
    }
    return this.queue.iterate(leave);
  }

  // ------------------------------------------------------------ waiting

  get waits(): ConnectionWaits {
    this.#waits ??= new ConnectionWaits();
    return this.#waits;
  }

  /** `waits` if anybody has asked for it. */
  get asked(): ConnectionWaits | undefined {
    return this.#waits;
  }

  /** As `Connection.drained`. */
  drained(): Promise<void> {
    if (this.isOver || this.error) return Promise.reject(this.error ?? this.closedError());
    return this.isBlocked ? this.waits.drained() : Promise.resolve();
  }

  /** As `Connection.closed`. */
  closed(): Promise<void> {
    return this.isOver && !this.#waits?.isForClose ? Promise.resolve() : this.waits.closed();
  }

  // ------------------------------------------------------------ events

  /** One of its events is about to be dispatched. */
  refresh(): void {}

  /** One of its handlers has thrown. */
  fault(): void {}

  /** It ends by itself now, or when its time for that is up. */
  watchClose(): void {
    const { closeTimeoutMs } = this.group.profile.values;
    if (closeTimeoutMs > 0) this.port.watchTimeouts(closeTimeoutMs);
  }
}
