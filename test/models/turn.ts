/**
 * What the application must see of one connection: the messages of the bytes
 * that arrived, in order, then its end or its error, then its close; and what
 * its peer must see: the frames of the messages that were taken, in order.
 */
import {
  EVENT_CLOSE,
  EVENT_DRAIN,
  EVENT_END,
  EVENT_ERROR,
  EVENT_MESSAGE,
  EVENT_OPEN,
  EVENT_OVERSIZE,
} from '#generated/layout';
import { type ErrorCode, resultOf } from '../../src/errors.ts';
import type { Framing } from '../../src/framing.ts';
import { modelAfter, modelEnd, modelFrames } from './frame.ts';
import type { Link } from './turn-backend.ts';

export interface SeenEvent {
  readonly kind: number;
  /** error, close: the result; oversize: the frame's length. */
  readonly result: number;
  readonly bytes: Uint8Array;
  /** message: where the bytes lie until the round ends. */
  readonly offset?: number;
}

const FRAME_ERRORS: readonly ErrorCode[] = ['FRAME_TOO_LONG', 'FRAME_MALFORMED', 'FRAME_TRUNCATED'];
const FRAME_RESULTS = FRAME_ERRORS.map(resultOf);

function text(
  events: readonly {
    readonly kind: string;
    readonly bytes?: Uint8Array;
    readonly length?: number;
  }[],
): string[] {
  return events.map(({ kind, bytes, length }) => `${kind} ${bytes?.join() ?? length}`);
}

export class ConnectionModel {
  readonly token: number;
  readonly framing: Framing;
  link: Link | undefined;
  opened = false;
  ended = false;
  /** The application has seen the end, and said what it had to say to it. */
  endDispatched = false;
  /** The error of the ERROR event. */
  failed: number | undefined;
  closed = false;
  closeResult = 0;
  /** Closed or aborted from this side: what comes in may be dropped. */
  closing = false;
  aborted = false;
  ending = false;
  paused = false;
  held = false;
  /** A send said "no more for now": a DRAIN is owed. */
  blocked = false;
  /** Frames that were taken, one after the other. */
  readonly queued: number[] = [];
  /** Outside the model's control: a send failed, or a time ran out. */
  disturbed = false;
  readonly problems: string[];
  readonly #seen: { kind: 'message' | 'oversize'; bytes?: Uint8Array; length?: number }[] = [];

  constructor(token: number, framing: Framing, problems: string[]) {
    this.token = token;
    this.framing = framing;
    this.problems = problems;
  }

  get messages(): number {
    return this.#seen.length;
  }

  see({ kind, result, bytes }: SeenEvent): void {
    if (this.closed) this.#problem(`event ${kind} after CLOSE`);
    if (!this.opened && kind !== EVENT_OPEN && kind !== EVENT_CLOSE) {
      this.#problem(`event ${kind} before OPEN`);
    }
    switch (kind) {
      case EVENT_OPEN:
        if (this.opened) this.#problem('a second OPEN');
        this.opened = true;
        break;
      case EVENT_MESSAGE:
      case EVENT_OVERSIZE:
        if (this.ended || this.failed !== undefined) this.#problem('a message after END or ERROR');
        if (kind === EVENT_MESSAGE) this.#seen.push({ kind: 'message', bytes });
        else this.#seen.push({ kind: 'oversize', length: result });
        break;
      case EVENT_END:
        if (this.ended || this.failed !== undefined) this.#problem('END after END or ERROR');
        this.ended = true;
        this.#checkEnd();
        break;
      case EVENT_ERROR:
        if (this.failed !== undefined) this.#problem('a second ERROR');
        this.failed = result;
        this.#checkError(result);
        break;
      case EVENT_DRAIN:
        if (!this.blocked) this.#problem('DRAIN, and nobody waits for it');
        this.blocked = false;
        break;
      case EVENT_CLOSE:
        this.closed = true;
        this.closeResult = result;
        if (this.failed !== undefined && result !== this.failed) {
          this.#problem(`ERROR ${this.failed}, but CLOSE ${result}`);
        }
        if (this.opened && !this.closing && !this.disturbed && this.failed === undefined) {
          if (result !== 0) this.#problem(`CLOSE ${result} without an ERROR`);
          if (!this.ended) this.#problem('CLOSE out of nowhere');
        }
        this.checkPrefix();
        break;
      default:
        this.#problem(`an event of kind ${kind}`);
    }
  }

  #expected() {
    const stream = Uint8Array.from(this.link?.arrived ?? []);
    return {
      stream,
      ...modelAfter(this.framing, modelFrames(this.framing, stream), stream.length),
    };
  }

  #checkEnd(): void {
    if (this.closing) return;
    const { stream, events, error } = this.#expected();
    const end = modelEnd(this.framing, stream);
    if (error ?? end.error) this.#problem(`END where the stream is ${error ?? end.error}`);
    if (this.link?.terminalArrived !== true || this.link.terminal !== 0)
      this.#problem('END before the end');
    this.#compare([...events, ...end.events], true);
  }

  #checkError(result: number): void {
    if (this.closing) return;
    const { stream, events, error } = this.#expected();
    if (!FRAME_RESULTS.includes(result)) {
      const isTerminal = this.link?.terminalArrived === true && this.link.terminal === result;
      this.#compare(this.#shownAtMost(), isTerminal && !this.disturbed);
      if (!isTerminal && !this.disturbed) this.#problem(`ERROR ${result} out of nowhere`);
      return;
    }
    const end = modelEnd(this.framing, stream);
    const code = error ?? (this.link?.terminal === 0 ? end.error : undefined);
    if (code === undefined || resultOf(code) !== result) {
      this.#problem(`ERROR ${result}, the model says ${code}`);
    }
    this.#compare(error === undefined ? [...events, ...end.events] : events, true);
  }

  /** Nothing is under way and nothing holds it up: all that came must have been shown. */
  checkQuiet(): void {
    if (this.closing || this.ended || this.failed !== undefined || this.closed || !this.opened)
      return;
    const { events, error } = this.#expected();
    if (error !== undefined) this.#problem(`${error} was not reported`);
    this.#compare(events, true);
  }

  /** What was shown is the beginning of what came. */
  checkPrefix(): void {
    if (this.link !== undefined) this.#compare(this.#shownAtMost(), false);
  }

  /**
   * A last message that only the end completes counts from the end's arrival
   * on. END itself may never follow, if the application closes between the
   * two; and a failing send may bring an ERROR after END.
   */
  #shownAtMost() {
    const { stream, events } = this.#expected();
    const endArrived = this.link?.terminalArrived === true && this.link.terminal === 0;
    return endArrived ? [...events, ...modelEnd(this.framing, stream).events] : events;
  }

  #compare(
    expected: readonly { kind: string; bytes?: Uint8Array; length?: number }[],
    isAll: boolean,
  ): void {
    let [seen, wanted]: string[][] = [text(this.#seen), text(expected)];
    if (this.framing.kind === 'raw') {
      // Bytes without frames: where they are cut is nobody's promise.
      seen = this.#seen.flatMap(({ bytes }) => [...(bytes ?? [])].map(String));
      wanted = expected.flatMap(({ bytes }) => [...(bytes ?? [])].map(String));
    }
    if (isAll && seen.length !== wanted.length) {
      this.#problem(`${seen.length} messages were seen, ${wanted.length} were sent`);
    }
    if (seen.length > wanted.length) this.#problem('more messages were seen than were sent');
    const differs = seen.findIndex((one, index) => one !== wanted[index]);
    if (differs >= 0 && differs < wanted.length) this.#problem(`message ${differs} is another one`);
  }

  /** What left is what was taken, so far. */
  checkWire(): void {
    const { link } = this;
    if (link === undefined) return;
    const differs = link.wire.findIndex((byte, index) => byte !== this.queued[index]);
    if (differs >= 0) this.#problem(`the wire differs at byte ${differs}`);
    if (link.shutDown && link.wire.length !== this.queued.length) {
      this.#problem(`shut down after ${link.wire.length} of ${this.queued.length} bytes`);
    }
  }

  #problem(what: string): void {
    this.problems.push(`connection ${this.token} (${this.framing.kind}): ${what}`);
  }
}
