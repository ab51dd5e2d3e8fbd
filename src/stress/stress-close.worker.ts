/** The handlers of the close experiment, in each I/O worker: echo, and now and then something else. */
import type { Connection } from '../connection.ts';
import type { WorkerContext, WorkerHandlers } from '../workers/io/context.ts';
import { CloseBoard } from './close-board.ts';
import { interfere, isExpected } from './close-remote.ts';
import { Random } from './random.ts';

export interface CloseWorkerData {
  readonly board: SharedArrayBuffer;
  readonly seed: number;
}

const LONG = new Uint8Array(30_000);

export default function handlers(context: WorkerContext<CloseWorkerData>): WorkerHandlers {
  const board = new CloseBoard(context.data.board);
  const random = new Random(context.data.seed + 7919 * (context.worker + 1));

  /** What others do meanwhile may be in its way. */
  const attempt = (call: () => unknown): void => {
    try {
      call();
    } catch (error) {
      if (!isExpected(error)) board.count('strangeErrors');
    }
  };
  const act = (connection: Connection, bytes: Uint8Array): void => {
    const choice = random.integer(0, 99);
    if (choice < 70) attempt(() => connection.send(bytes));
    else if (choice < 78) attempt(() => connection.send(LONG));
    else if (choice < 81) attempt(() => connection.close());
    else if (choice < 84) attempt(() => connection.abort());
    else if (choice < 87) attempt(() => connection.end());
    else interfere(board, random, (id) => context.connection(id));
  };
  return {
    open: ({ id }) => board.handler('open', id, () => {}),
    message: (connection, bytes) =>
      board.handler('other', connection.id, () => {
        board.count('messages');
        act(connection, bytes);
      }),
    end: ({ id }) => board.handler('other', id, () => {}),
    drain: ({ id }) => board.handler('other', id, () => {}),
    error: ({ id }) => board.handler('other', id, () => {}),
    close: ({ id }) => board.handler('close', id, () => {}),
  };
}
