/** Calls of the close experiment on connections of other threads. */
import { OverlappedError } from '../errors.ts';
import type { RemoteConnection } from '../workers/io/remote-connection.ts';
import type { CloseBoard } from './close-board.ts';
import type { Random } from './random.ts';

/** What a call may be refused with, where the connection is ending or has gone. */
const EXPECTED: readonly string[] = ['STALE_TOKEN', 'CLOSED', 'NO_BUFFERS', 'ABORTED', 'RESET'];

/** Whether `error` is what calls on connections that others close must count with. */
export function isExpected(error: unknown): boolean {
  return error instanceof OverlappedError && EXPECTED.includes(error.code);
}

const SHORT = new Uint8Array(40);

/** Does something to a connection that may be any thread's, or gone. */
export function interfere(
  board: CloseBoard,
  random: Random,
  find: (id: number) => RemoteConnection,
): void {
  const id = board.recent(random.integer(0, 2 ** 20));
  if (id === undefined) return;
  const watch = (call: () => Promise<void>) => {
    board.count('remoteCalls');
    let answer: Promise<void>;
    try {
      answer = call();
    } catch (error) {
      // A number that can be no connection's.
      answer = Promise.reject(error);
    }
    answer.then(
      () => board.count('remoteAnswers'),
      (error: unknown) => {
        board.count('remoteAnswers');
        board.count(isExpected(error) ? 'remoteRefusals' : 'strangeErrors');
      },
    );
  };
  const choice = random.integer(0, 99);
  if (choice < 60) watch(() => find(id).send(SHORT));
  else if (choice < 70) watch(() => find(id).close());
  else if (choice < 80) watch(() => find(id).abort());
  else if (choice < 90) watch(() => find(id).end());
  else {
    watch(() => find(id).pause());
    watch(() => find(id).resume());
  }
}
