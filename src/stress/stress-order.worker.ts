/** The handlers of the order experiment on the package's own server: echo, in one or several writes (R10). */
import { attachPool, type Connection, type PoolClient, type PoolHandle } from '../index.ts';
import type { WorkerContext, WorkerHandlers } from '../workers/io/context.ts';

export interface OrderWorkerData {
  readonly fragments: number;
  /** A word for each worker: messages that it handled. */
  readonly handled: Int32Array;
  /** What the echoes go through; each write is a job of its own. */
  readonly pool?: PoolHandle;
  readonly poolOrder?: boolean;
}

/** One message in so many takes a while, as work does that waits for something: then threads change. */
const PAUSE_EVERY = 8;
const PAUSE_MS = 0.05;

export default async function handlers(
  context: WorkerContext<OrderWorkerData>,
): Promise<WorkerHandlers> {
  const { fragments, handled, poolOrder } = context.data;
  const pool =
    context.data.pool === undefined ? undefined : await attachPool<Uint8Array>(context.data.pool);
  const pause = pauses();
  const pauseForReply = pauses();
  const pass = async (
    client: PoolClient<Uint8Array>,
    connection: Connection,
    part: Uint8Array,
  ): Promise<void> => {
    try {
      const reply = await client.dispatch(part, poolOrder ? { key: connection.id } : {});
      // Also between having a reply and sending it.
      pauseForReply();
      connection.sendRaw(reply);
    } catch {
      // The client is told by the end of its connection.
      connection.abort();
    }
  };
  return {
    message(connection, frame) {
      Atomics.add(handled, context.worker, 1);
      // So that a thread loses its processor anywhere, with a completion taken and not
      // yet in its place, even on a machine with one: only the order holds others back.
      pause();
      const partBytes = Math.ceil(frame.length / fragments);
      for (let at = 0; at < frame.length; at += partBytes) {
        const part = frame.subarray(at, at + partBytes);
        if (pool === undefined) connection.sendRaw(part);
        else void pass(pool, connection, part);
      }
    },
    // The client is told by the end of its connection.
    error() {},
  };
}

/** A function that sleeps a little at one of so many calls. */
function pauses(): () => void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  let calls = 0;
  return () => {
    if (calls++ % PAUSE_EVERY === 0) Atomics.wait(word, 0, 0, PAUSE_MS);
  };
}
