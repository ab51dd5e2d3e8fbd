/** What ends a server of the command line: a signal, its named event, or its parent. */
import process from 'node:process';
import { listenEvent } from '../event.ts';

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
type SignalName = keyof typeof SIGNALS;

export interface EndingOptions {
  /** Name of the event, '' for none. */
  readonly event: string;
  /** The end of the standard input ends the server: so it never outlives the parent that holds the pipe. */
  readonly withParent: boolean;
}

export interface Ending {
  /** Resolves with the cause in words. */
  readonly cause: Promise<string>;
  /** No longer waits for any cause. */
  close(): Promise<void>;
}

/** @throws OverlappedError ADDRESS_IN_USE if another process listens to the event */
export async function awaitEnding({ event, withParent }: EndingOptions): Promise<Ending> {
  const named = event === '' ? undefined : await listenEvent(event);
  let end: (cause: string) => void = () => {};
  const cause = new Promise<string>((resolve) => {
    end = resolve;
  });
  let isEnding = false;
  const onSignal = (signal: SignalName) => {
    // The second one is from somebody who does not want to wait.
    if (isEnding) process.exit(SIGNALS[signal]);
    isEnding = true;
    end(signal);
  };
  for (const signal of Object.keys(SIGNALS)) process.on(signal, onSignal);
  named?.signaled.then(() => end(`event ${event}`));
  const onParentGone = () => end('end of the parent');
  if (withParent) {
    process.stdin.on('end', onParentGone).on('error', onParentGone).resume();
  }
  return {
    cause,
    async close() {
      for (const signal of Object.keys(SIGNALS)) process.off(signal, onSignal);
      if (withParent) process.stdin.destroy();
      await named?.close();
    },
  };
}
