/** The last moment of a thread that ends by itself, by an exception or by `process.exit`. */
import process from 'node:process';

const works = new Set<() => void>();
let isListening = false;

/** Calls `work` then; what it does must be done when it returns. Returns how to forget it. */
export function atThreadEnd(work: () => void): () => void {
  // One listener for all: more than a few would be taken for a leak.
  if (!isListening) {
    isListening = true;
    process.on('exit', () => {
      for (const each of works) each();
    });
  }
  works.add(work);
  return () => void works.delete(work);
}
