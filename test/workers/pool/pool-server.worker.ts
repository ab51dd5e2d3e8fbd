/** Handlers of a server behind which there is a pool, for `server.test.ts`: each message is a job, its result the reply. */
import process from 'node:process';
import {
  attachPool,
  type PoolHandle,
  type WorkerContext,
  type WorkerHandlers,
} from '../../../src/index.ts';

/** A message that its worker dies of. */
export const DEADLY = 0xff;

export default async ({ data }: WorkerContext): Promise<WorkerHandlers> => {
  const pool = await attachPool<Uint8Array>(data as PoolHandle);
  return {
    message(connection, bytes) {
      if (bytes[0] === DEADLY) process.exit(3);
      pool.dispatch(bytes, { key: connection.id }).then(
        (reply) => {
          if (connection.sendConnected) connection.send(reply);
        },
        () => connection.abort(),
      );
    },
    error() {},
  };
};
