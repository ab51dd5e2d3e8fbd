/**
 * A thread that dispatches to a pool of another one: what it is told (`DispatcherThread`
 * in dispatchers.ts), or jobs by chance, as I/O workers do.
 */
import process from 'node:process';
import { setImmediate, setTimeout } from 'node:timers';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { attachPool, type PoolClient } from '../../../src/workers/pool/index.ts';
import {
  type DispatcherData,
  type Order,
  type Reply,
  type Rush,
  Shared,
} from './dispatcher-orders.ts';
import { job, Op } from './pool-handlers.worker.ts';

const { handle, words, rush } = workerData as DispatcherData;
const pool = await attachPool<unknown>(handle);
if (rush === undefined) obey(parentPort as MessagePort);
else await hurry(rush);

function obey(channel: MessagePort): void {
  const reply = (message: Reply) => channel.postMessage(message);
  channel.on('message', (order: Order) => {
    perform(pool, order).then(
      (value) => {
        reply({ id: order.id, value });
        if (order.kind === 'dispatch' && order.sticks) stick();
      },
      (error: Error & { code?: string }) => {
        const { name, code, message } = error;
        reply({ id: order.id, error: { name, message, ...(code === undefined ? {} : { code }) } });
      },
    );
  });
  channel.postMessage({ id: 0 } satisfies Reply);
}

function stick(): void {
  Atomics.store(words, Shared.stuck, 1);
  while (Atomics.load(words, Shared.gate) === 0) Atomics.wait(words, Shared.gate, 0, 100);
}

/** Not an `async` function: its dispatch is to be made before it returns. */
function perform(client: PoolClient, order: Order): Promise<unknown> {
  switch (order.kind) {
    case 'dispatch': {
      const { key } = order;
      return client.dispatch(order.bytes, key === undefined ? {} : { key });
    }
    case 'hasRoom':
      return Promise.resolve(client.hasRoom);
    case 'room':
      return client.room();
    case 'close':
      return client.close();
    case 'exit':
      process.exit(1);
      break;
    case 'throw':
      setTimeout(() => {
        throw new Error('as told');
      }, 0);
  }
  return new Promise(() => {});
}

/** A small generator of numbers: 0 to 2^32 - 1. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
  };
}

/**
 * Claims a key that nobody has, as a worker claims a connection, and dispatches some
 * jobs of it, numbered under the claim; and again.
 */
async function hurry({ seed, thread, keys, jobs, spins, diesAfter, how }: Rush): Promise<void> {
  const next = numbers(seed * 1000 + thread);
  let got = 0;
  let under = 0;
  const results: Promise<void>[] = [];
  const dispatch = (key: number): void => {
    const number = Atomics.add(words, Shared.next + key, 1);
    const about = key * 2 ** 20 + number;
    // Some are quick, some take long.
    const length = next() % 4 === 0 ? next() % spins : 0;
    under++;
    const result = pool.dispatch(job(Op.log, about, length), { key }).then(
      () => {
        words[Shared.results + Atomics.add(words, Shared.got, 1)] = about;
        under--;
        got++;
        if (got === diesAfter) die(how);
      },
      () => void Atomics.add(words, Shared.failed, 1),
    );
    results.push(result);
  };
  for (let made = 0; made < jobs; ) {
    const key = next() % keys;
    if (Atomics.compareExchange(words, Shared.claim + key, 0, 1) === 0) {
      for (let run = 1 + (next() % 3); run > 0 && made < jobs; run--, made++) dispatch(key);
      Atomics.store(words, Shared.claim + key, 0);
    }
    if (under > 100 || next() % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(results);
  await pool.close();
}

function die(how: Rush['how']): void {
  if (how === 'exit') process.exit(1);
  setTimeout(() => {
    throw new Error('as planned');
  }, 0);
}
