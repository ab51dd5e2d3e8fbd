/** What the echo server does with its connections, in whichever thread, and what it counts. */
import type { Connection, Handlers, OrderedPool, PoolClient, PoolHandle } from '../index.ts';
import { attachPool, ERROR_CODES, orderedPool } from '../index.ts';

/** What is to be done, as it goes to other threads. */
export interface EchoPlan {
  /** Writes that an echo is sent in. */
  readonly fragments: number;
  /** Threads of the pool that messages go through; 0: no pool. */
  readonly poolThreads: number;
  readonly poolOrder: boolean;
  /** The pool of all the workers, where it is another thread's; else each thread has its own. */
  readonly pool?: PoolHandle;
}

/** What a thread saw. */
export interface EchoSums {
  /** Connections that have closed. */
  readonly connections: number;
  readonly messages: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** How connections failed, by the code of the error. */
  readonly errors: Readonly<Record<string, number>>;
}

const COUNTERS = 4;

/** Counters of one thread, in memory that another one can read. */
export class EchoTally {
  readonly words: Float64Array;

  constructor(words?: Float64Array) {
    const bytes = (COUNTERS + ERROR_CODES.length) * 8;
    this.words = words ?? new Float64Array(new SharedArrayBuffer(bytes));
  }

  #add(index: number, count: number): void {
    this.words[index] = (this.words[index] as number) + count;
  }

  messages(count: number): void {
    this.#add(1, count);
  }

  error(code: string): void {
    this.#add(COUNTERS + ERROR_CODES.indexOf(code as (typeof ERROR_CODES)[number]), 1);
  }

  closed(connection: Connection): void {
    const { bytesReceived, bytesSent } = connection.statistics();
    this.#add(0, 1);
    this.#add(2, bytesReceived);
    this.#add(3, bytesSent);
  }

  sums(): EchoSums {
    const [connections = 0, messages = 0, bytesReceived = 0, bytesSent = 0] = this.words;
    const counts = ERROR_CODES.map((code, index) => [code, this.words[COUNTERS + index] ?? 0]);
    const errors = Object.fromEntries(counts.filter(([, count]) => count !== 0));
    return { connections, messages, bytesReceived, bytesSent, errors };
  }
}

export function sumTallies(each: readonly EchoSums[]): EchoSums {
  const total = (name: Exclude<keyof EchoSums, 'errors'>) =>
    each.reduce((sum, tally) => sum + tally[name], 0);
  const errors: Record<string, number> = {};
  for (const tally of each) {
    for (const [code, count] of Object.entries(tally.errors)) {
      errors[code] = (errors[code] ?? 0) + count;
    }
  }
  return {
    connections: total('connections'),
    messages: total('messages'),
    bytesReceived: total('bytesReceived'),
    bytesSent: total('bytesSent'),
    errors,
  };
}

export interface EchoWork {
  readonly handlers: Handlers;
  /** After the server: ends the pool. */
  close(): Promise<void>;
}

// A peer that does not read its echoes is not read from: the port holds it by itself.

export async function echoHandlers(plan: EchoPlan, tally: EchoTally): Promise<EchoWork> {
  const counting: Handlers = {
    error: (_connection, error) => tally.error(error.code),
    close: (connection) => tally.closed(connection),
  };
  if (plan.poolThreads > 0) {
    const pool =
      plan.pool === undefined ? await openPool(plan) : await attachPool<Uint8Array>(plan.pool);
    return {
      handlers: { ...counting, ...echoThroughPool(plan, pool, tally) },
      close: async () => void (await pool.close()),
    };
  }
  const handlers = plan.fragments > 1 ? echoInParts(plan.fragments, tally) : echoWhole(tally);
  return { handlers: { ...counting, ...handlers }, async close() {} };
}

function echoWhole(tally: EchoTally): Handlers {
  return {
    messages(batch) {
      tally.messages(batch.length);
      for (let i = 0; i < batch.length; i++) batch.echo(i);
    },
  };
}

function* partsOf(frame: Uint8Array, count: number): Generator<Uint8Array> {
  const partBytes = Math.max(1, Math.ceil(frame.length / count));
  for (let at = 0; at < frame.length; at += partBytes) yield frame.subarray(at, at + partBytes);
}

function echoInParts(count: number, tally: EchoTally): Handlers {
  return {
    message(connection, frame) {
      tally.messages(1);
      for (const part of partsOf(frame, count)) connection.sendRaw(part);
    },
  };
}

// ---------------------------------------------------------------- the pool

type EchoPool = OrderedPool<Uint8Array> | PoolClient<Uint8Array>;

export function openPool({ poolThreads }: EchoPlan): Promise<OrderedPool<Uint8Array>> {
  return orderedPool<Uint8Array>({
    handler: new URL('./echo-pool.worker.js', import.meta.url),
    initialThreads: poolThreads,
    minThreads: poolThreads,
    maxThreads: poolThreads,
    // A connection is paused when there is no room: what one message makes is let in whole.
    maxWaiting: 2 ** 20,
    arenaBytes: 2 ** 26,
  });
}

/** Jobs of a connection that this thread has given to the pool, and whether it is to end after them. */
interface Pending {
  jobs: number;
  isEnding: boolean;
}

const NOTHING = new Uint8Array(0);

/**
 * Each write is a job of its own. The pool answers those of a connection in their
 * order, over all threads that dispatch them, or, without order, as its threads come
 * to it: then messages overtake each other, and the parts of one get between those of
 * another. The end of a connection goes through the pool, too, behind its messages.
 */
function echoThroughPool(plan: EchoPlan, pool: EchoPool, tally: EchoTally): Handlers {
  // Each worker of a shared port has its own.
  const pendingOf = (connection: Connection) => {
    connection.data ??= { jobs: 0, isEnding: false } satisfies Pending;
    return connection.data as Pending;
  };
  const optionsOf = (connection: Connection) => (plan.poolOrder ? { key: connection.id } : {});
  const pass = async (connection: Connection, part: Uint8Array): Promise<void> => {
    const pending = pendingOf(connection);
    pending.jobs++;
    try {
      const reply = await pool.dispatch(part, optionsOf(connection));
      if (connection.sendConnected) connection.sendRaw(reply);
    } catch {
      // It has closed meanwhile, or nothing can answer it any more.
      connection.abort();
    }
    pending.jobs--;
    endIfDone(connection);
  };
  const endIfDone = (connection: Connection) => {
    const { jobs, isEnding } = pendingOf(connection);
    if (isEnding && jobs === 0 && connection.sendConnected) connection.end();
  };
  return {
    message(connection, frame) {
      tally.messages(1);
      for (const part of partsOf(frame, plan.fragments)) void pass(connection, part);
      if (pool.hasRoom) return;
      connection.pause();
      void pool.room().then(() => connection.resume());
    },
    end(connection) {
      pool.dispatch(NOTHING, optionsOf(connection)).then(
        () => {
          pendingOf(connection).isEnding = true;
          endIfDone(connection);
        },
        () => connection.abort(),
      );
    },
  };
}
