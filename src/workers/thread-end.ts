/** The last moment of a thread: what it still has to say to others, in memory that they share. */
import process from 'node:process';

const works = new Set<() => void>();
let isListening = false;

/**
 * Calls `work` when the thread ends by itself, by an exception, by `process.exit`, or by
 * `endThread`; what it does must be done when it returns. Returns how to forget it.
 */
export function atThreadEnd(work: () => void): () => void {
  // One listener for all: more than a few would be taken for a leak.
  if (!isListening) {
    isListening = true;
    process.on('exit', endThread);
  }
  works.add(work);
  return () => void works.delete(work);
}

/** In a thread that is about to be terminated, of which it would hear nothing. */
export function endThread(): void {
  for (const work of works) work();
  works.clear();
}
