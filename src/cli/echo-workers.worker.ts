/** The echo server's handlers in an I/O worker. */
import type { WorkerContext, WorkerHandlers } from '../index.ts';
import { type EchoPlan, EchoTally, echoHandlers } from './echo-handlers.ts';

export default async ({ worker, data }: WorkerContext): Promise<WorkerHandlers> => {
  const { plan, words } = data as {
    readonly plan: EchoPlan;
    readonly words: readonly Float64Array[];
  };
  // The pool ends with the worker.
  const { handlers } = await echoHandlers(plan, new EchoTally(words[worker]));
  return handlers;
};
