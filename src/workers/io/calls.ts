/** Calls on connections of other threads that wait for their answers. */
import { type Deferred, deferred } from '../../deferred.ts';
import { OverlappedError } from '../../errors.ts';
import { type ErrorRecord, errorFrom } from './messages.ts';
import { type RemoteCall, RemoteConnection } from './remote-connection.ts';

/** Calls of a thread that may wait: more are refused. */
const PENDING_MOST = 65_536;

type Bytes = Uint8Array | string | undefined;

export class Calls {
  readonly #post: (number: number, id: number, call: RemoteCall, bytes: Bytes) => void;
  readonly #pending = new Map<number, Deferred<void>>();
  #last = 0;

  /** `post` throws an OverlappedError where the call cannot be handed over. */
  constructor(post: (number: number, id: number, call: RemoteCall, bytes: Bytes) => void) {
    this.#post = post;
  }

  /** @throws OverlappedError STALE_TOKEN for what is no token at all */
  connection(id: number): RemoteConnection {
    if (!Number.isSafeInteger(id) || id < 0) {
      throw new OverlappedError('STALE_TOKEN', `${String(id)} is no connection's id`);
    }
    return new RemoteConnection(id, (...call) => this.#call(...call));
  }

  async #call(id: number, call: RemoteCall, bytes: Bytes): Promise<void> {
    if (call === 'send' || call === 'sendRaw') {
      if (!(bytes instanceof Uint8Array) && typeof bytes !== 'string') {
        const text = 'a message from another thread is a Uint8Array or a string';
        throw new OverlappedError('INVALID_OPTION', text);
      }
    }
    if (this.#pending.size >= PENDING_MOST) {
      throw new OverlappedError('NO_BUFFERS', `${PENDING_MOST} calls wait for their answers`);
    }
    const number = ++this.#last;
    const answer = deferred();
    this.#pending.set(number, answer);
    try {
      this.#post(number, id, call, bytes);
    } catch (error) {
      this.#pending.delete(number);
      throw error;
    }
    return answer.promise;
  }

  answer({ number, error }: { readonly number: number; readonly error?: ErrorRecord }): void {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    if (error === undefined) pending?.resolve();
    else pending?.reject(errorFrom(error));
  }

  /** Answers everything with the error: the other side is no more. */
  failAll(error: Error): void {
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}
