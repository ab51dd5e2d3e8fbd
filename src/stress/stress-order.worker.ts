/** The handlers of the order experiment on the package's own server: echo, in one or several writes (R10). */
import type { WorkerContext, WorkerHandlers } from '../workers/io/context.ts';

export interface OrderWorkerData {
  readonly fragments: number;
  /** A word for each worker: messages that it handled. */
  readonly handled: Int32Array;
}

/** One message in so many takes a while, as work does that waits for something: then threads change. */
const PAUSE_EVERY = 8;
const PAUSE_MS = 0.05;

export default function handlers(context: WorkerContext<OrderWorkerData>): WorkerHandlers {
  const { fragments, handled } = context.data;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  return {
    message(connection, frame) {
      const earlier = Atomics.add(handled, context.worker, 1);
      // So that a thread loses its processor anywhere, with a completion taken and not
      // yet in its place, even on a machine with one: only the order holds others back.
      if (earlier % PAUSE_EVERY === 0) Atomics.wait(pause, 0, 0, PAUSE_MS);
      const partBytes = Math.ceil(frame.length / fragments);
      for (let at = 0; at < frame.length; at += partBytes) {
        connection.sendRaw(frame.subarray(at, at + partBytes));
      }
    },
    // The client is told by the end of its connection.
    error() {},
  };
}
