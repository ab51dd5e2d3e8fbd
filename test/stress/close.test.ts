/** The close experiment: its books, and a short run on every backend that spreads connections over threads. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OverlappedError } from '../../src/errors.ts';
import { type CloseOptions, type CloseRun, runClose } from '../../src/stress/close.ts';
import { CloseBoard } from '../../src/stress/close-board.ts';

const watch = () => () => {};
const nothing = () => {};
const ID = 7 * 2 ** 20 + 3;

test('the books: what is in order', () => {
  const board = new CloseBoard();
  board.handler('open', ID, nothing);
  board.handler('other', ID, nothing);
  board.handler('close', ID, nothing);
  // The same slot again, for another connection.
  board.handler('open', ID + 2 ** 20, nothing);
  board.handler('close', ID + 2 ** 20, nothing);
  const { opens, closes, strayHandlers, concurrentHandlers, doubleOpens, doubleCloses } =
    board.counts;
  assert.equal([opens, closes], [2, 2]);
  assert.equal([strayHandlers, concurrentHandlers, doubleOpens, doubleCloses], [0, 0, 0, 0]);
  assert.ok([ID, ID + 2 ** 20].includes(board.recent(1) as number));
});

test('the books: what is not', () => {
  const board = new CloseBoard();
  board.handler('other', ID, nothing);
  assert.is(board.get('strayHandlers'), 1, 'before open');
  board.handler('open', ID, () => board.handler('other', ID, nothing));
  assert.is(board.get('concurrentHandlers'), 1);
  board.handler('open', ID, nothing);
  assert.is(board.get('doubleOpens'), 1);
  board.handler('close', ID, nothing);
  assert.is(board.get('strayHandlers'), 1);
  board.handler('other', ID, nothing);
  assert.is(board.get('strayHandlers'), 2, 'after close');
  board.handler('close', ID, nothing);
  assert.is(board.get('doubleCloses'), 1);
});

/** A machine that hardly gets to it has longer. */
const SECONDS = [1.5, 10, 30] as const;

/** Undefined where the backend cannot be had here. */
async function run(options: Pick<CloseOptions, 'backend' | 'scheduling'>) {
  try {
    let seen: CloseRun | undefined;
    for (const seconds of SECONDS) {
      const all = { ...options, workers: 2, clients: 12, seconds, seed: 11 };
      seen = (await runClose(all, watch)).runs[0] as CloseRun;
      assertRight(seen);
      if (hasHappened(seen)) break;
    }
    return seen;
  } catch (error) {
    if (error instanceof OverlappedError && error.code === 'NOT_SUPPORTED') return undefined;
    throw error;
  }
}

/** It was long enough to show something. */
function hasHappened({ opens, messages, remoteCalls, remoteRefusals }: CloseRun): boolean {
  const some = opens > 20 && messages > 20 && remoteCalls > 20;
  // Some calls came in time.
  return some && remoteRefusals < remoteCalls;
}

/** However little happened, nothing of it was wrong. */
function assertRight(run: CloseRun): void {
  const text = JSON.stringify(run);
  const { strayHandlers, concurrentHandlers, doubleOpens, doubleCloses, clientStray } = run;
  assert.equal(
    [strayHandlers, concurrentHandlers, doubleOpens, doubleCloses, clientStray],
    [0, 0, 0, 0, 0],
    text,
  );
  assert.is(run.closes, run.opens, 'each is closed once');
  assert.is(run.remoteAnswers, run.remoteCalls, 'each call is answered');
  assert.is(run.staleCompletions, 0, text);
  assert.is(run.strangeErrors, 0, text);
  assert.ok(
    Object.values(run.left).every((count) => count === 0),
    text,
  );
}

const MATRIX = [
  ['net', 'pinned'],
  ['uring', 'pinned'],
  ['iocp', 'pinned'],
  ['bun', 'pinned'],
  ['sim', 'shared'],
  ['net', 'shared'],
  ['uring', 'shared'],
  ['iocp', 'shared'],
] as const;

for (const [backend, scheduling] of MATRIX) {
  test(`${scheduling} on ${backend}: nothing is lent, nothing runs after close`, async () => {
    const seen = await run({ backend, scheduling });
    if (seen === undefined) console.log(`${scheduling} on ${backend}: not here`);
    else assert.ok(hasHappened(seen) && seen.held, JSON.stringify(seen));
  });
}

test('one of them runs everywhere', async () => {
  assert.ok(await run({ backend: 'auto', scheduling: 'pinned' }));
});

test.run();
