/**
 * A connection of a port that threads share, as one of them sees it. Its record
 * is this thread's only while it has claimed the connection, as in a handler;
 * else calls are posted to whoever takes it next (R7), and what other threads
 * do to it is not told to this object.
 */
import * as layout from '#generated/layout';
import { type ConnectionOrigin, ConnectionState, type PlainCall } from '../../connection-state.ts';
import { OverlappedError } from '../../errors.ts';
import type { SharedWaits } from './shared-waits.ts';

const RECORD = layout.Connection;
/** The core's call for what another thread asks. */
const CALLS: Readonly<Record<PlainCall, number>> = {
  connectionEnd: layout.CALL_END,
  connectionClose: layout.CALL_CLOSE,
  connectionPause: layout.CALL_PAUSE,
  connectionHold: layout.CALL_HOLD,
};
/** Until posted sends are looked for again. */
const POSTED_LOOK_MS = 2;

/** What it needs of its thread's part of the port. */
export interface ThreadPart {
  /** Where this thread waits for what others may see first. */
  readonly waits: Pick<SharedWaits, 'waitWhile'>;
  /**
   * Whether this thread may touch the connection's record now. Between turns what
   * others have posted comes first.
   */
  owns(record: number): boolean;
  /**
   * Has the connection's owner do it (R7).
   * @param call `CALL_*`
   * @param payload what is sent, or the error that a reset reports
   * @returns 1, 0 when more is not welcome, or a negative error
   */
  post(token: number, call: number, payload: Uint8Array | string | number): number;
}

export class SharedState<Message> extends ConnectionState<Message> {
  readonly #part: ThreadPart;
  readonly #token: number;
  /** A send was refused because the connection is about to end. */
  #refused = false;
  #isWatching = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(origin: ConnectionOrigin<Message>, part: ThreadPart) {
    super(origin);
    this.#part = part;
    this.#token = origin.token;
  }

  /** The messages go to handlers, in whichever worker takes them. */
  protected override createQueue(): undefined {
    return undefined;
  }

  override messages(): never {
    const text = 'the messages of a shared port go to handlers, in whichever worker takes them';
    throw new OverlappedError('NOT_SUPPORTED', text);
  }

  // ------------------------------------------------------------ calls

  override send(bytes: Uint8Array | string, isRaw: boolean): number {
    const result = this.#isHere
      ? super.send(bytes, isRaw)
      : this.#part.post(this.#token, isRaw ? layout.CALL_SEND_RAW : layout.CALL_SEND, bytes);
    if (result === layout.ERROR_CLOSED) this.#refused = true;
    return result;
  }

  override call(name: PlainCall): void {
    if (this.#isHere) super.call(name);
    else this.#part.post(this.#token, CALLS[name], 0);
  }

  override resume(): void {
    if (this.isOver) return;
    if (this.#isHere) super.resume();
    else this.#part.post(this.#token, layout.CALL_RESUME, 0);
  }

  protected override abort(error: number): void {
    if (this.#isHere) super.abort(error);
    else this.#part.post(this.#token, layout.CALL_ABORT, error);
  }

  /** This thread has claimed it, and may touch the record. */
  get #isHere(): boolean {
    const { core } = this.port;
    const record = this.port.recordOf(this.slot);
    return this.#part.owns(record) && core.f64[(record + RECORD.token) >>> 3] === this.#token;
  }

  // ------------------------------------------------------------ facts

  override get isOver(): boolean {
    if (this.gone) return true;
    const { core, regions } = this.port;
    return core.exports.poolCheck(regions.connections, this.#token) < 0;
  }

  override get isBlocked(): boolean {
    if (this.#refused || (this.field(RECORD.state) & layout.STATE_BLOCKED) !== 0) return true;
    return this.#tooMuchPosted;
  }

  /** What was sent and no thread has looked at yet is above the high-water mark, with the rest. */
  get #tooMuchPosted(): boolean {
    const posted = this.field(RECORD.postedBytes);
    const { highWaterMarkBytes } = this.group.profile.values;
    return posted > 0 && posted + this.field(RECORD.queuedBytes) > highWaterMarkBytes;
  }

  // ------------------------------------------------------------ waiting

  override drained(): Promise<void> {
    const drained = super.drained();
    this.#watch();
    return drained;
  }

  override closed(): Promise<void> {
    const closed = super.closed();
    this.#watch();
    return closed;
  }

  /** The event that is waited for may go to another thread: this one looks for itself. */
  #watch(): void {
    if (!this.#isAwaited) return;
    this.#watchPosted();
    if (this.#isWatching) return;
    this.#isWatching = true;
    void this.#part.waits.waitWhile(this.slot, () => {
      this.#look();
      this.#isWatching = this.#isAwaited;
      return this.#isWatching;
    });
  }

  get #isAwaited(): boolean {
    const waits = this.asked;
    return waits !== undefined && (waits.isForDrain || waits.isForClose);
  }

  #look(): void {
    if (this.isOver) this.#vanish();
    else if (this.asked?.isForDrain && !this.isBlocked) this.asked.drain();
    this.#watchPosted();
  }

  /** There is no event for a posted call that has run. It does within a turn of another thread. */
  #watchPosted(): void {
    if (this.#timer !== undefined || !this.asked?.isForDrain || !this.#tooMuchPosted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, POSTED_LOOK_MS);
  }

  /** Another thread has seen it closed. */
  #vanish(): void {
    if (this.gone) return;
    this.gone = true;
    this.ended = true;
    this.closing = true;
    this.asked?.fail(this.closedError());
    this.asked?.close();
  }

  // ------------------------------------------------------------ events

  /** What other workers' handlers and calls have done to it since this one had it. */
  override refresh(): void {
    const state = this.field(RECORD.state);
    if ((state & (layout.STATE_DISCARD | layout.STATE_RESET)) !== 0) this.closing = true;
    if ((state & layout.STATE_RECEIVE_FINISHED) !== 0) this.peerEnded = true;
  }

  /** In a worker that is the end of the connection, too. */
  override fault(): void {
    this.reset(layout.ERROR_ABORTED);
  }
}
