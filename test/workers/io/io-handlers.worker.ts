/**
 * A handlers' module for the tests: what a message begins with says what is done
 * with it. `data`, if given, is memory that all workers and the test share.
 */
import process from 'node:process';
import { setImmediate, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, WorkerContext, WorkerHandlers } from '../../../src/index.ts';

/** Words of the shared memory. */
export const Word = {
  opened: 0,
  messages: 1,
  closed: 2,
  errors: 3,
  entered: 4,
  /** Set by the test: handlers that wait may go on. */
  gate: 5,
  /** Violations of "one at a time" and "in order". */
  overlaps: 6,
  disorder: 7,
  /** Connections that a handler awaited the end of, and has. */
  awaited: 8,
  handlers: 16,
} as const;

export interface IoData {
  readonly words: Int32Array;
  /** Thrown while it loads, for the worker of this number. */
  readonly failing?: number;
}

const decoder = new TextDecoder();

export default function make({ worker, data, connection: reach }: WorkerContext): WorkerHandlers {
  const { words, failing } = (data ?? { words: new Int32Array(64) }) as IoData;
  if (failing === worker) throw new Error('not this worker');
  const count = (word: number) => Atomics.add(words, word, 1);
  return {
    open(connection) {
      count(Word.opened);
      connection.data = { opened: Date.now() };
    },
    message(connection, bytes) {
      count(Word.messages);
      const state = connection.sharedState;
      const held =
        state === undefined || state.length < 8
          ? undefined
          : new Int32Array(state.buffer, state.byteOffset, 2);
      // Nobody else is at work on this connection.
      if (held !== undefined && Atomics.exchange(held, 0, 1) !== 0) count(Word.overlaps);
      try {
        handle(connection, bytes, held);
      } finally {
        if (held !== undefined) Atomics.store(held, 0, 0);
      }
    },
    error() {
      count(Word.errors);
    },
    close() {
      count(Word.closed);
    },
  };

  function handle(connection: Connection, bytes: Uint8Array, held: Int32Array | undefined): void {
    const text = decoder.decode(bytes.slice());
    const [verb, first = '', ...rest] = text.split(' ');
    switch (verb) {
      case 'worker':
        count(Word.handlers + worker);
        connection.send(String(worker));
        break;
      case 'id':
        connection.send(String(connection.id));
        break;
      case 'throw':
        throw new Error(`thrown: ${first}`);
      case 'reject':
        void Promise.reject(new Error(`rejected: ${first}`));
        break;
      case 'exit':
        process.exit(3);
        break;
      case 'exit-later':
        // exit-later MS: ends the worker while it has nothing to do
        setTimeout(() => process.exit(3), Number(first));
        connection.send(String(worker));
        break;
      case 'forever':
        count(Word.entered);
        for (;;) if (Atomics.load(words, Word.gate) === 2) break;
        break;
      case 'hold':
        // Takes nothing else until it ends without a word.
        count(Word.entered);
        while (Atomics.load(words, Word.gate) === 0) spin(20);
        process.exit(3);
        break;
      case 'later':
        void later(connection, first);
        break;
      case 'tell':
        // tell ID TEXT: says TEXT to another connection
        reach(Number(first))
          .send(rest.join(' '))
          .then(
            () => connection.send('told'),
            (error: { code?: string }) => connection.send(`not told: ${error.code}`),
          );
        break;
      case 'seq':
        // seq N: the Nth message of its connection, whichever worker had those before
        if (held !== undefined && Atomics.add(held, 1, 1) !== Number(first)) count(Word.disorder);
        spin(20);
        connection.send(bytes);
        break;
      case 'peer':
        connection.send(JSON.stringify([connection.remoteAddress, connection.localAddress]));
        break;
      case 'facts':
        connection.send(
          JSON.stringify([
            connection.sendConnected,
            connection.receiveConnected,
            connection.queuedBytes,
          ]),
        );
        break;
      case 'chatter':
        void chatter(connection, first, Number(rest[0]));
        break;
      case 'flood':
        void flood(connection, Number(first), Number(rest[0]));
        break;
      case 'await':
        void connection.closed.then(() => count(Word.awaited));
        connection.send('awaiting');
        break;
      case 'end':
        connection.end();
        break;
      default:
        connection.send(bytes);
    }
  }
}

/** Something to do, so that workers meet. */
function spin(rounds: number): void {
  for (let i = 0; i < rounds; i++) Math.sqrt(i);
}

/** Sends now and then, whoever has the connection at the moment. */
async function chatter(connection: Connection, name: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    connection.send(`chat ${name} ${i}`);
    if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Sends more than is welcome, and waits where it is not. */
async function flood(connection: Connection, times: number, sizeBytes: number): Promise<void> {
  const bytes = new Uint8Array(sizeBytes).fill(46);
  for (let i = 0; i < times; i++) if (!connection.send(bytes)) await connection.drained();
  connection.send('flooded');
}

/** Work that goes on after the handler has returned. */
async function later(connection: Connection, text: string): Promise<void> {
  await sleep(5);
  await Promise.resolve();
  connection.send(`later ${text}`);
}
