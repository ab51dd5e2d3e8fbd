/**
 * What a worker of a shared port asks the I/O thread and waits for: facts about
 * sockets that only the driver knows, such as a peer's address. The worker
 * sleeps meanwhile; the I/O thread never waits for a worker.
 */

/** What can be asked. */
export type Question =
  | { readonly ask: 'localAddress' | 'remoteAddress'; readonly handle: number }
  | { readonly ask: 'systemErrorName'; readonly handle: number };

/** Int32: 1 once the answer is there; its length; then its text. */
const WORDS = 2;
const ANSWER_BYTES = 1024;
const PATIENCE_MS = 2000;

export function createAnswerRoom(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(WORDS * 4 + ANSWER_BYTES));
}

/** In the worker: `post` sends the question. Undefined if there is no answer. */
export function askAndWait(room: Int32Array, post: () => void): unknown {
  Atomics.store(room, 0, 0);
  post();
  if (Atomics.wait(room, 0, 0, PATIENCE_MS) === 'timed-out') return undefined;
  const length = Atomics.load(room, 1);
  const text = new TextDecoder().decode(new Uint8Array(room.buffer, WORDS * 4, length).slice());
  return text === '' ? undefined : JSON.parse(text);
}

/** In the I/O thread. */
export function answerIn(room: Int32Array, answer: unknown): void {
  const bytes = new TextEncoder().encode(answer === undefined ? '' : JSON.stringify(answer));
  const length = bytes.length <= ANSWER_BYTES ? bytes.length : 0;
  new Uint8Array(room.buffer, WORDS * 4).set(bytes.subarray(0, length));
  Atomics.store(room, 1, length);
  Atomics.store(room, 0, 1);
  Atomics.notify(room, 0);
}
