/** The handlers of the order experiment on the package's own server: echo, in one or several writes (R10). */
import type { WorkerContext, WorkerHandlers } from '../workers/io/context.ts';

export interface OrderWorkerData {
  readonly fragments: number;
  /** A word for each worker: messages that it handled. */
  readonly handled: Int32Array;
}

export default function handlers(context: WorkerContext<OrderWorkerData>): WorkerHandlers {
  const { fragments, handled } = context.data;
  return {
    message(connection, frame) {
      Atomics.add(handled, context.worker, 1);
      const partBytes = Math.ceil(frame.length / fragments);
      for (let at = 0; at < frame.length; at += partBytes) {
        connection.sendRaw(frame.subarray(at, at + partBytes));
      }
    },
    // The client is told by the end of its connection.
    error() {},
  };
}
