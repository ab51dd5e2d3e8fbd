/** What a handlers' module is given, and what it is. */
import type { Codec, Handlers } from '../../types.ts';
import type { RemoteConnection } from './remote-connection.ts';

/** Where handlers run: given to the function that a handlers' module may export as default. */
export interface WorkerContext<Data = unknown> {
  /** Number of the worker, from 0 on; one that replaces another has its number. */
  readonly worker: number;
  readonly workers: number;
  /** The option `workerData`, cloned for this worker. */
  readonly data: Data;
  /**
   * A connection of any worker, by its `id`: calls are carried out by the worker
   * that has it.
   * @throws OverlappedError STALE_TOKEN for a number that no connection of this server has
   */
  connection(id: number): RemoteConnection;
}

/** What a handlers' module exports, by name or as default. */
export interface WorkerHandlers<Message = Uint8Array> extends Handlers<Message> {
  readonly codec?: Codec<Message>;
}

/** What the default export may be instead. */
export type MakeWorkerHandlers<Message = Uint8Array, Data = unknown> = (
  context: WorkerContext<Data>,
) => WorkerHandlers<Message> | Promise<WorkerHandlers<Message>>;
