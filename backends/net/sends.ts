/** Writes under way on one socket. */
import type { StreamConnection } from './connection.ts';
import type { SocketConnection } from './socket-connection.ts';

/**
 * One send. Records are reused, and each has its write callback made once, so
 * that a send allocates nothing but the view that the host's write wants.
 */
export class SendRecord {
  token = 0;
  offset = 0;
  length = 0;
  connection: StreamConnection | undefined;
  next: SendRecord | undefined;
  readonly done: (error?: Error | null) => void;
  readonly #pool: SendRecord[];

  constructor(pool: SendRecord[]) {
    this.#pool = pool;
    this.done = (error) => {
      // Undefined: the socket closed without calling back first, and the send was completed then.
      // Only sockets take the callback.
      const connection = this.connection as SocketConnection | undefined;
      connection?.onWritten(this, error ?? undefined);
    };
  }

  recycle(): void {
    this.connection = undefined;
    this.next = undefined;
    this.#pool.push(this);
  }
}

/** Takes a record from `pool` or makes one. */
export function takeSendRecord(pool: SendRecord[]): SendRecord {
  return pool.pop() ?? new SendRecord(pool);
}
