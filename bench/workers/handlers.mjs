/** The handlers of `shared.mjs`: check, and work for a while. Nothing is sent. */
import { readlinkSync } from 'node:fs';
import { Checker } from './checker.mjs';
import { spin, spinMicroseconds } from './spin.mjs';

/** @param {{worker: number, data: {notes: import('./checker.mjs').Notes, rounds: number}}} context */
export default function handlers({ worker, data: { notes, rounds } }) {
  const checker = new Checker(notes, worker);
  // `<process>/task/<thread>`: /proc is Linux's.
  checker.begin(Number(readlinkSync('/proc/thread-self').split('/').at(-1)));
  spinMicroseconds(rounds); // compiled before anything is measured
  const work = () => void spin(rounds);
  let words;
  return {
    /** @param {import('../../dist/index.js').MessageBatch} batch */
    messages(batch) {
      words ??= new Uint32Array(batch.bytes.buffer);
      for (let index = 0; index < batch.length; index++) {
        checker.handle(words, batch.offset(index) >>> 2, batch.connection(index).id, work);
      }
      checker.handled(batch.length);
    },
  };
}
