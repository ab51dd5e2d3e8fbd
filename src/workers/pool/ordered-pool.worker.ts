/** What a thread of an `OrderedPool` starts with: loads the handler module, then runs jobs. */
import { setImmediate } from 'node:timers';
import { parentPort, workerData } from 'node:worker_threads';
import type { PoolHandler, PoolThreadData, PoolThreadMessage } from './handler.ts';
import { JobRunner, postError } from './job-runner.ts';

async function loadHandler(url: string): Promise<PoolHandler> {
  const module: Record<string, unknown> = await import(url);
  const handler = module.default ?? module.handle;
  if (typeof handler !== 'function') {
    throw new TypeError(`${url} exports no function, neither as default nor as handle`);
  }
  return handler as PoolHandler;
}

function post(message: PoolThreadMessage): void {
  parentPort?.postMessage(message);
}

const data = workerData as PoolThreadData;
let handler: PoolHandler | undefined;
try {
  handler = await loadHandler(data.handler);
} catch (error) {
  postError(error, (cloneable) => post({ kind: 'failed', error: cloneable }));
}
if (handler !== undefined) {
  const runner = new JobRunner(data, handler, {
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    wake: () => post(0),
  });
  post({ kind: 'ready' });
  await runner.run();
  post({ kind: 'ended' });
}
