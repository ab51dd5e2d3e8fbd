/**
 * One stream socket: its sends, its receive, its shutdown and its close as the
 * loop sees them. What carries it is a subclass: a bare handle of Node's where
 * possible (handle-connection.ts), else a net.Socket (socket-connection.ts).
 */
import { ERROR_BROKEN_PIPE, ERROR_CANCELED, ERROR_CLOSED, ERROR_RESET } from '#generated/layout';
import type { SocketAddress, StreamOptions } from '../backend.ts';
import type { Entry } from '../stream/driver.ts';
import { type Failure, systemErrno } from '../stream/failure.ts';
import { ReceiveSide } from '../stream/receiver.ts';
import { NO_TOKEN, type OperationOwner } from '../stream/reporter.ts';
import type { NetContext } from './context.ts';
import { type SendRecord, takeSendRecord } from './sends.ts';

const CANCELED: Failure = { result: ERROR_CANCELED, systemError: 0 };
const RESET: Failure = { result: ERROR_RESET, systemError: 0 };
const BROKEN: Failure = { result: ERROR_BROKEN_PIPE, systemError: 0 };
const CLOSED: Failure = { result: ERROR_CLOSED, systemError: 0 };

export abstract class StreamConnection extends ReceiveSide implements Entry, OperationOwner {
  /** Number while it is open to the loop, else NO_TOKEN. */
  handle = NO_TOKEN;
  protected readonly context: NetContext;
  protected readonly path: string | undefined;
  /** Set by close, by a cancelled connect and by dispose: what is still pending was cancelled. */
  protected closing = false;
  /** A shutdown was asked for. */
  protected shut = false;
  /** The transport has been told to end. */
  protected ending = false;
  /** The transport is closed. */
  protected closed = false;
  protected failure: Failure | undefined;
  /** Sends without a completion, in order. */
  protected firstSend: SendRecord | undefined;
  protected lastSend: SendRecord | undefined;
  /** First of the sends that the transport has not been given yet. */
  protected unwritten: SendRecord | undefined;
  #shutdownToken = NO_TOKEN;
  #closeToken = NO_TOKEN;

  constructor(context: NetContext, path: string | undefined) {
    super(context.reporter);
    this.context = context;
    this.path = path;
  }

  /** Writes the turn's sends. */
  abstract flush(): void;
  /** Ends the send side; `onShut` follows. */
  protected abstract endWriting(): void;
  /** Closes; `onClose` follows, in a later pass. May be called again while it is under way. */
  protected abstract closeTransport(reset: boolean): void;
  /** The peer is gone though the stream ended as if by its end. */
  protected abstract lostPeer(): boolean;
  abstract localAddress(): SocketAddress | undefined;
  abstract remoteAddress(): SocketAddress | undefined;
  abstract configure(options: StreamOptions): void;
  abstract setReferenced(referenced: boolean): void;

  // ---------------------------------------------------------------- operations

  send(token: number, offset: number, length: number): void {
    if (this.failure !== undefined || this.shut || this.closed || this.closing) {
      this.#finish(token, this.#refusal());
      return;
    }
    const record = takeSendRecord(this.context.sendPool);
    record.token = token;
    record.offset = offset;
    record.length = length;
    record.connection = this;
    if (this.lastSend === undefined) this.firstSend = record;
    else this.lastSend.next = record;
    this.lastSend = record;
    if (this.unwritten === undefined) {
      this.unwritten = record;
      this.context.dirty[this.context.dirtyCount++] = this;
    }
  }

  shutdown(token: number): void {
    if (this.shut) {
      this.context.reporter.finish(token, 0);
      return;
    }
    if (this.failure !== undefined || this.closed || this.closing) {
      this.#finish(token, this.#refusal());
      return;
    }
    this.flush();
    this.shut = true;
    this.#shutdownToken = token;
    // Not before the writes are done: a stream that is shutting down cannot be reset,
    // and an abort would then look like an end to the peer.
    if (this.firstSend === undefined) this.#end();
  }

  close(token: number, reset: boolean): void {
    this.#closeToken = token;
    if (!reset) this.flush();
    this.abandon(reset);
  }

  /** Cancels what is pending and closes the transport; `onClose` follows. */
  abandon(reset: boolean): void {
    this.closing = true;
    while (this.unwritten !== undefined) this.#takeBack(this.unwritten.token);
    this.discardReceived();
    this.cancelReceive();
    if (this.closed) this.context.reporter.defer({ run: () => this.settle() });
    else this.closeTransport(reset);
  }

  cancel(token: number): void {
    if (token === this.receiveToken) this.cancelReceive();
    else this.#takeBack(token);
  }

  // ---------------------------------------------------------------- what the transport reports

  /** The peer ended. */
  onEnd(): void {
    if (this.path === undefined && !this.ending && !this.closing && this.lostPeer()) {
      this.failure ??= { result: ERROR_RESET, systemError: systemErrno.numberOf('ECONNRESET') };
      this.context.count('hiddenResets');
      this.endReceive(this.failure.result, this.failure.systemError);
    } else this.endReceive(0);
  }

  /** The connection failed. */
  protected fail(failure: Failure): void {
    this.failure ??= failure;
    if (this.closing) return;
    // A write that found the pipe broken: the peer is gone, for the receive that is a reset.
    const broken = failure.result === ERROR_BROKEN_PIPE;
    this.endReceive(broken ? ERROR_RESET : failure.result, failure.systemError);
  }

  /** The sends from `first` to `last` are done with their bytes; all of them without `last`. */
  protected written(first: SendRecord, last?: SendRecord): void {
    for (let record: SendRecord | undefined = first; record !== undefined; ) {
      const next: SendRecord | undefined = record === last ? undefined : record.next;
      this.context.bytesSent += record.length;
      this.completeSend(record, record.length, 0);
      record = next;
    }
  }

  protected completeSend(record: SendRecord, result: number, systemError: number): void {
    this.#unlink(record);
    const { token } = record;
    record.recycle();
    this.context.reporter.finish(token, result, systemError);
    if (this.firstSend === undefined && this.#shutdownToken !== NO_TOKEN && !this.ending) {
      this.#end();
    }
  }

  protected onShut(failure: Failure | undefined): void {
    const token = this.#shutdownToken;
    if (token === NO_TOKEN) return;
    this.#shutdownToken = NO_TOKEN;
    if (failure === undefined) this.context.reporter.finish(token, 0);
    else this.#finish(token, this.closing ? CANCELED : (this.failure ?? failure));
  }

  onClose(): void {
    this.closed = true;
    this.settle();
  }

  /** The transport is closed: whatever has not completed does so now, the close last. */
  protected settle(): void {
    const failure = this.endedBy();
    this.endReceive(failure.result, failure.systemError);
    for (let record = this.firstSend; record !== undefined; record = record.next) {
      record.connection = undefined;
      this.#finish(record.token, failure);
    }
    this.firstSend = undefined;
    this.lastSend = undefined;
    this.unwritten = undefined;
    this.onShut(failure);
    if (!this.closing || this.handle === NO_TOKEN) return;
    const { handle } = this;
    this.handle = NO_TOKEN;
    this.context.closedStream(handle);
    if (this.#closeToken !== NO_TOKEN) this.context.reporter.finish(this.#closeToken, 0);
  }

  /** What ends the operations of a closed transport. */
  protected endedBy(): Failure {
    return this.closing ? CANCELED : (this.failure ?? RESET);
  }

  // ---------------------------------------------------------------- the rest

  #end(): void {
    this.ending = true;
    this.endWriting();
  }

  /** Why nothing more can be sent. */
  #refusal(): Failure {
    if (this.failure !== undefined) return this.failure;
    return this.shut || this.closed ? BROKEN : CLOSED;
  }

  #finish(token: number, failure: Failure): void {
    this.context.reporter.finish(token, failure.result, failure.systemError);
  }

  #unlink(record: SendRecord): void {
    if (this.firstSend === record) {
      this.firstSend = record.next;
      if (record.next === undefined) this.lastSend = undefined;
      return;
    }
    let before = this.firstSend;
    while (before !== undefined && before.next !== record) before = before.next;
    if (before === undefined) return;
    before.next = record.next;
    if (this.lastSend === record) this.lastSend = before;
  }

  /** A send that was not written yet can be taken back; one under way completes when it is done. */
  #takeBack(token: number): void {
    for (let record = this.unwritten; record !== undefined; record = record.next) {
      if (record.token !== token) continue;
      if (record === this.unwritten) this.unwritten = record.next;
      this.#unlink(record);
      record.recycle();
      this.context.reporter.finish(token, ERROR_CANCELED);
      return;
    }
  }
}
