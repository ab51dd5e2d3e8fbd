/** What ends a server of the command line: a signal, its named event, or its parent. */
import process from 'node:process';
import { type EventCarrier, listenEvent } from '../event.ts';

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
  /** What carries its event; undefined if it has none. */
  readonly carrier: EventCarrier | undefined;
  /** No longer waits for any cause. */
  close(): Promise<void>;
}

/** @throws OverlappedError as `listenEvent` does */
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
    carrier: named && { kind: named.kind, fallback: named.fallback },
    async close() {
      for (const signal of Object.keys(SIGNALS)) process.off(signal, onSignal);
      if (withParent) process.stdin.destroy();
      await named?.close();
    },
  };
}

/** What carries an event, and why it is not what it should be. */
export function describeCarrier({ kind, fallback }: EventCarrier): string {
  return fallback === undefined ? kind : `${kind}: ${fallback}`;
}
