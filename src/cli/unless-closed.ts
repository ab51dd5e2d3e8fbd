/** Sending from a handler to a connection that may have failed without its handlers knowing yet. */
import { OverlappedError } from '../index.ts';

/** What `send` returns; undefined where the connection has closed and its `close` handler is still to come. */
export function unlessClosed(send: () => boolean): boolean | undefined {
  try {
    return send();
  } catch (error) {
    if (error instanceof OverlappedError && error.code === 'CLOSED') return undefined;
    throw error;
  }
}
