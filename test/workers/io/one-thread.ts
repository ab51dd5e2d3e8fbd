/** One I/O worker without a server around it, for tests. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { WorkerDriver } from '../../../backends/backend.ts';
import {
  type BackendDescription,
  chooseSpreadingBackend,
  reclaimRemains,
} from '../../../src/registry.ts';
import { IoThread } from '../../../src/workers/io/io-thread.ts';
import type { WorkerStart } from '../../../src/workers/io/messages.ts';
import { FRAMING, HANDLERS } from './servers.ts';

/** After this a test says what was not done. */
export const PATIENCE_MS = 60_000;

/** How a worker of this host can drive a port of the backend. */
export async function driversOf(backend: BackendDescription): Promise<readonly WorkerDriver[]> {
  return chooseSpreadingBackend(backend, new Map()).then(
    ({ drivers }) => drivers,
    () => [],
  );
}

/** Rejects in words if it takes too long. */
export async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(PATIENCE_MS, undefined, { signal: over.signal }).then(
    () => {
      throw new Error(`${what}: not done`);
    },
    () => undefined as never,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
  }
}

export interface OneThread {
  readonly thread: IoThread;
  readonly port: number;
  /** Has the worker do something with a connection; resolves with its answer. */
  call(id: number, call: 'send' | 'end', text?: string): Promise<void>;
}

/** Runs `work` with a worker, and ends that. What it leaves is given back as a server does. */
export async function withThread(
  backend: BackendDescription,
  { isBlocking, waitMs }: Pick<WorkerStart, 'isBlocking' | 'waitMs'>,
  work: (it: OneThread) => Promise<void>,
): Promise<void> {
  const answers = new Map<number, (code: string | undefined) => void>();
  const thread = new IoThread(
    {
      index: 0,
      workers: 1,
      handlers: HANDLERS.href,
      data: undefined,
      options: {
        framing: FRAMING,
        arenaBytes: 2 ** 22,
        receiveBuffers: 64,
        maxConnections: 64,
        backlog: 64,
      },
      idBase: 0,
      isBlocking,
      scheduling: 'pinned',
      watch: new Float64Array(new SharedArrayBuffer(8)),
      posted: new Int32Array(new SharedArrayBuffer(4)),
      waitMs,
    },
    {
      gone: ({ left, remains, reached }) => {
        if (left !== undefined || remains === undefined) return;
        const { memory, remains: ofDriver } = remains;
        void reached.then(() => reclaimRemains(backend.name, memory, ofDriver));
      },
      call: () => {},
      answer: ({ number, error }) => answers.get(number)?.(error?.code),
    },
  );
  let last = 0;
  try {
    await inTime('load', thread.loaded);
    const { port } = await inTime('listen', thread.listen({ kind: 'listen', backend }));
    await work({
      thread,
      port,
      async call(id, call, text) {
        const number = ++last;
        const answered = new Promise<string | undefined>((resolve) => answers.set(number, resolve));
        thread.post({ kind: 'call', number, id, call, bytes: text });
        assert.is(await inTime(`${call} ${text}`, answered), undefined);
      },
    });
  } finally {
    await inTime('terminate', thread.terminate());
  }
}
