/** A connection seen from another thread (R7). */

/** What can be asked of a connection from another thread. */
export type RemoteCall = 'send' | 'sendRaw' | 'end' | 'close' | 'abort' | 'pause' | 'resume';

export const REMOTE_CALLS: readonly RemoteCall[] = [
  'send',
  'sendRaw',
  'end',
  'close',
  'abort',
  'pause',
  'resume',
];

/** Hands a call over; resolves when the connection's thread has it. */
export type RemotePost = (
  id: number,
  call: RemoteCall,
  bytes: Uint8Array | string | undefined,
) => Promise<void>;

/**
 * A connection that belongs to a worker, for the program's other threads. Calls
 * of one thread are carried out in their order. Each resolves when it has been
 * handed to the connection's worker, and rejects with an OverlappedError:
 * `STALE_TOKEN` if the connection has gone, `CLOSED` if it takes no more,
 * `NO_BUFFERS` if too much waits, `FRAME_TOO_LONG` or `FRAME_MALFORMED`,
 * `ABORTED` if the worker died.
 */
export class RemoteConnection {
  /** `Connection.id`. */
  readonly id: number;
  readonly #post: RemotePost;

  /** @internal */
  constructor(id: number, post: RemotePost) {
    this.id = id;
    this.#post = post;
  }

  /** Queues one message. The bytes are copied, and are not given to the codec. */
  send(message: Uint8Array | string): Promise<void> {
    return this.#post(this.id, 'send', message);
  }

  /** Queues bytes without a frame around them. */
  sendRaw(bytes: Uint8Array | string): Promise<void> {
    return this.#post(this.id, 'sendRaw', bytes);
  }

  /** Half-close: what is queued is sent, then the peer sees the end. */
  end(): Promise<void> {
    return this.#post(this.id, 'end', undefined);
  }

  /** Begins to close in order. */
  close(): Promise<void> {
    return this.#post(this.id, 'close', undefined);
  }

  /** Resets it. */
  abort(): Promise<void> {
    return this.#post(this.id, 'abort', undefined);
  }

  pause(): Promise<void> {
    return this.#post(this.id, 'pause', undefined);
  }

  resume(): Promise<void> {
    return this.#post(this.id, 'resume', undefined);
  }
}
