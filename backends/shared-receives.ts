/** Completed receives and posted packets of one end of a socket: any thread may take them. */
import { CompletionQueue } from '../src/core/completion-queue.ts';
import type { Core } from '../src/core/core.ts';
import type { Received } from './shared-socket.ts';

const POSTED = 1;

/** Puts a completion into a queue that was made for all that can be pending. */
export function pushSurely(
  queue: CompletionQueue,
  completion: Parameters<CompletionQueue['push']>[0],
): void {
  if (!queue.push(completion)) throw new Error('more is pending than the queue was made for');
}

export class SharedReceives {
  readonly #queue: CompletionQueue;

  private constructor(queue: CompletionQueue) {
    this.#queue = queue;
  }

  /** Room for `slots` receives; returns the address for `attach`. */
  static create(core: Core, slots: number): number {
    return CompletionQueue.create(core, { capacity: 2 ** Math.ceil(Math.log2(slots + 1)) }).address;
  }

  static attach(core: Core, address: number): SharedReceives {
    return new SharedReceives(CompletionQueue.attach(core, address));
  }

  push(slot: number, bytes: number): void {
    this.#push(slot, bytes, 0);
  }

  post(packet: number): void {
    this.#push(packet, 0, POSTED);
  }

  #push(token: number, result: number, flags: number): void {
    pushSurely(this.#queue, { token, result, flags });
  }

  take(timeoutMs: number): Received | undefined {
    const completion = this.#queue.popWait(timeoutMs);
    if (completion === undefined) return undefined;
    const { token, result, flags } = completion;
    return { slot: token, bytes: result, isPosted: flags === POSTED };
  }
}
