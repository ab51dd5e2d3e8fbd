/**
 * A backend without a system: it holds what it was asked for, performs it when
 * told to, and reports in whatever order it is told to. It keeps to the
 * contract, and checks that the loop does: one final completion a token, lent
 * ranges that nobody touches and that do not overlap.
 */
import {
  COMPLETION_BUFFER,
  COMPLETION_MORE,
  ERROR_CANCELED,
  ERROR_NO_BUFFERS,
  NOTHING,
} from '#generated/layout';
import { type CompletionLoop, LoopOperation } from '../../src/core/index.ts';

/** Numbers below `below`, from one seed the same everywhere. */
export type Random = (below: number) => number;

/** xorshift32. */
export function randomFrom(seed: number): Random {
  let state = seed | 0 || 0x5eed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export interface BackendTraits {
  readonly selectsBuffers: boolean;
  /** Sends may be taken in part. */
  readonly partialSends: boolean;
  readonly bufferBytes: number;
}

interface Outcome {
  readonly result: number;
  readonly flags: number;
  readonly buffer: number;
  readonly systemError: number;
  /** A probe found something: neither bytes nor the end. */
  readonly isProbe?: boolean;
  /** What the lent range holds until it is reported. */
  readonly range?: { readonly offset: number; readonly bytes: Uint8Array };
}

interface Held {
  readonly token: number;
  readonly kind: number;
  readonly handle: number;
  readonly offset: number;
  readonly length: number;
  /** Performed and not yet reported, in order. */
  readonly outcomes: Outcome[];
  /** The last outcome is the final one. */
  performed: boolean;
  /** Bytes of a send as they were lent. */
  readonly lent: Uint8Array;
}

/** One connection as the peer and the system see it. */
export class Link {
  readonly handle: number;
  readonly wantsOrder: boolean;
  /** What the peer has sent and the system holds. */
  readonly #incoming: Uint8Array[] = [];
  incomingBytes = 0;
  /** How the peer's side ends once all that is taken: 0 or an error. */
  terminal: number | undefined;
  /** Bytes in the order in which the loop must see them. */
  readonly arrived: number[] = [];
  /** The terminal was seen by the loop. */
  terminalArrived = false;
  /** The terminal was taken by a receive; what comes after is the same. */
  terminalTaken = false;
  readonly wire: number[] = [];
  /** What sends fail with, once they do. */
  sendError = 0;
  shutDown = false;
  closed = false;
  wasReset = false;

  constructor(handle: number, wantsOrder: boolean) {
    this.handle = handle;
    this.wantsOrder = wantsOrder;
  }

  feed(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.terminal !== undefined) return;
    this.#incoming.push(bytes);
    this.incomingBytes += bytes.length;
  }

  take(most: number): Uint8Array {
    const first = this.#incoming[0] as Uint8Array;
    const taken = first.subarray(0, most);
    if (taken.length === first.length) this.#incoming.shift();
    else this.#incoming[0] = first.subarray(taken.length);
    this.incomingBytes -= taken.length;
    return taken;
  }
}

export class TurnBackend {
  readonly loop: CompletionLoop;
  readonly traits: BackendTraits;
  readonly held = new Map<number, Held>();
  readonly links = new Map<number, Link>();
  /** Tokens that had their final completion: for duplicates. */
  readonly spent: number[] = [];
  /** Completions that must be counted as stale. */
  duplicates = 0;
  readonly problems: string[] = [];
  /** Kinds of what was submitted, for those who look. */
  onSubmission: (kind: number, handle: number, length: number) => void = () => {};
  #nextHandle = 1;

  constructor(loop: CompletionLoop, traits: BackendTraits) {
    this.loop = loop;
    this.traits = traits;
  }

  newLink(wantsOrder: boolean): Link {
    const link = new Link(this.#nextHandle++, wantsOrder);
    this.links.set(link.handle, link);
    return link;
  }

  /** Takes all submissions. */
  submit(): void {
    for (const one = this.loop.submissions; one.next(); ) {
      const { kind, token, handle, offset, length } = one;
      this.onSubmission(kind, handle, length);
      if (kind === LoopOperation.cancel) this.#cancel(token);
      else this.begin(kind, token, handle, offset, length, one.isReset);
    }
  }

  begin(kind: number, token: number, handle: number, offset = 0, length = 0, reset = false): void {
    if (this.held.has(token)) this.problems.push(`token ${token} was submitted twice`);
    const link = this.links.get(handle);
    if (link?.closed === true) this.problems.push(`operation ${kind} on closed handle ${handle}`);
    if (length > 0) {
      for (const other of this.held.values()) {
        if (
          other.length > 0 &&
          offset < other.offset + other.length &&
          other.offset < offset + length
        ) {
          this.problems.push(`operation ${kind} lends what operation ${other.kind} was lent`);
        }
      }
    }
    const isSend = kind === LoopOperation.send || kind === LoopOperation.sendTo;
    const lent = isSend ? this.loop.core.u8.slice(offset, offset + length) : new Uint8Array(0);
    this.held.set(token, {
      kind,
      token,
      handle,
      offset,
      length,
      outcomes: [],
      performed: false,
      lent,
    });
    if (kind === LoopOperation.close) {
      if (link !== undefined) {
        link.closed = true;
        link.wasReset = reset;
      }
      for (const other of this.held.values()) {
        if (other.handle === handle && other.kind !== LoopOperation.close)
          this.#cancel(other.token);
      }
      this.#perform(this.held.get(token) as Held, 0);
    }
  }

  #perform(held: Held, result: number, more: Partial<Outcome> = {}): void {
    const outcome = { result, flags: 0, buffer: NOTHING, systemError: result < 0 ? 1 : 0, ...more };
    held.outcomes.push(outcome);
    held.performed = (outcome.flags & COMPLETION_MORE) === 0;
  }

  #cancel(token: number): void {
    const held = this.held.get(token);
    if (held !== undefined && !held.performed) this.#perform(held, ERROR_CANCELED);
  }

  // ------------------------------------------------------------ performing

  /** The first operation of a kind that is not performed: the system keeps submission order. */
  first(kind: number, handle: number): Held | undefined {
    for (const held of this.held.values()) {
      if (held.kind === kind && held.handle === handle && !held.performed) return held;
    }
    return undefined;
  }

  /** Completes an operation that opens something, by its token. */
  open(token: number, result: number): void {
    const held = this.held.get(token);
    if (held !== undefined && !held.performed) this.#perform(held, result);
  }

  /** A connection comes in; false if nothing is armed to accept it. */
  arrive(listener: number, wantsOrder: boolean): Link | undefined {
    const accept = this.first(LoopOperation.accept, listener);
    if (accept === undefined) return undefined;
    const link = this.newLink(wantsOrder);
    this.#perform(accept, link.handle, { flags: COMPLETION_MORE });
    return link;
  }

  /** Moves bytes, or the end, into the receive that was submitted first. False if there is none or nothing. */
  performReceive(link: Link, most: number): boolean {
    const held = this.first(LoopOperation.receive, link.handle);
    if (held === undefined) return false;
    if (link.incomingBytes === 0 && link.terminal === undefined) return false;
    const finds = link.incomingBytes > 0 || link.terminal === 0;
    if (held.length === 0 && !this.traits.selectsBuffers && finds) {
      this.#perform(held, 0, { isProbe: true });
      return true;
    }
    if (link.incomingBytes === 0 && link.terminal !== undefined) {
      link.terminalTaken = true;
      this.#perform(held, link.terminal);
      if (this.#inOrder(link)) link.terminalArrived = true;
      return true;
    }
    const { u8 } = this.loop.core;
    if (this.traits.selectsBuffers) {
      const buffer = this.loop.takeBuffer();
      if (buffer === undefined) {
        this.#perform(held, ERROR_NO_BUFFERS);
        return true;
      }
      const bytes = link.take(Math.min(most, this.traits.bufferBytes));
      const offset = this.loop.bufferOffset(buffer);
      u8.set(bytes, offset);
      const flags = COMPLETION_MORE | COMPLETION_BUFFER;
      this.#perform(held, bytes.length, { flags, buffer, range: { offset, bytes } });
      link.arrived.push(...bytes);
      return true;
    }
    const bytes = link.take(Math.min(most, held.length));
    u8.set(bytes, held.offset);
    this.#perform(held, bytes.length, { range: { offset: held.offset, bytes } });
    if (this.#inOrder(link)) link.arrived.push(...bytes);
    return true;
  }

  #inOrder(link: Link): boolean {
    return link.wantsOrder || this.traits.selectsBuffers;
  }

  /** Takes bytes of the send that was submitted first. False if there is none. */
  performSend(link: Link, most: number): boolean {
    const held = this.first(LoopOperation.send, link.handle);
    if (held === undefined) return false;
    if (link.sendError !== 0) {
      this.#perform(held, link.sendError);
      return true;
    }
    const bytes = this.traits.partialSends ? Math.min(Math.max(most, 1), held.length) : held.length;
    for (const byte of held.lent.subarray(0, bytes)) link.wire.push(byte);
    this.#perform(held, bytes);
    return true;
  }

  /** From here all sends fail. False if none was pending. */
  failSend(link: Link, error: number): boolean {
    if (this.first(LoopOperation.send, link.handle) === undefined) return false;
    link.sendError = error;
    return this.performSend(link, 0);
  }

  performShutdown(link: Link, result = 0): boolean {
    const held = this.first(LoopOperation.shutdown, link.handle);
    if (held === undefined) return false;
    if (this.first(LoopOperation.send, link.handle) !== undefined) {
      this.problems.push('a shutdown overtakes a send');
    }
    if (result === 0) link.shutDown = true;
    this.#perform(held, result);
    return true;
  }

  // ------------------------------------------------------------ reporting

  /** Operations with something to report now: a close comes after all others of its handle. */
  reportable(): Held[] {
    return [...this.held.values()].filter(
      (held) =>
        held.outcomes.length > 0 && (held.kind !== LoopOperation.close || this.#isLast(held)),
    );
  }

  #isLast(close: Held): boolean {
    for (const other of this.held.values()) {
      if (other !== close && other.handle === close.handle) return false;
    }
    return true;
  }

  report(held: Held): void {
    const outcome = held.outcomes.shift() as Outcome;
    this.#checkRange(held, outcome);
    const link = this.links.get(held.handle);
    if (link !== undefined && held.kind === LoopOperation.receive && !this.#inOrder(link)) {
      this.#arriveUnordered(link, outcome);
    }
    if (held.outcomes.length === 0 && held.performed) {
      this.held.delete(held.token);
      this.spent.push(held.token);
    }
    const { result, flags, buffer, systemError } = outcome;
    this.loop.complete(held.token, result, flags, buffer, systemError);
  }

  #arriveUnordered(link: Link, outcome: Outcome): void {
    if (link.terminalArrived || outcome.isProbe) return;
    if (outcome.range !== undefined) link.arrived.push(...outcome.range.bytes);
    else if (outcome.result !== ERROR_CANCELED) link.terminalArrived = true;
  }

  #checkRange(held: Held, { range }: Outcome): void {
    const { u8 } = this.loop.core;
    const [at, bytes] =
      range === undefined ? [held.offset, held.lent] : [range.offset, range.bytes];
    for (let index = 0; index < bytes.length; index++) {
      if (u8[at + index] === bytes[index]) continue;
      this.problems.push(`the range lent to operation ${held.kind} was changed at ${index}`);
      return;
    }
  }

  /** A backend at fault: says again what was said already. */
  duplicate(token: number): void {
    this.duplicates++;
    this.loop.complete(token, 1);
  }
}
