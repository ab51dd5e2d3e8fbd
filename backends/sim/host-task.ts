/**
 * A task of the host's event loop, in whatever host this is: `setImmediate`
 * where there is one, else a MessageChannel (browsers), else `setTimeout`.
 */

interface TimerHandle {
  unref?(): void;
}

interface HostGlobals {
  readonly setImmediate?: (run: () => void) => unknown;
  readonly MessageChannel?: typeof MessageChannel;
  readonly setTimeout: (run: () => void, delayMs: number) => TimerHandle | number;
  readonly Deno?: { unrefTimer?(timer: number): void };
}

const host = globalThis as unknown as HostGlobals;

/** Runs `run` in a later pass of the host's event loop, and keeps the process alive until then. */
export function hostTask(run: () => void): void {
  if (host.setImmediate !== undefined) {
    host.setImmediate(run);
  } else if (host.MessageChannel !== undefined) {
    const { port1, port2 } = new host.MessageChannel();
    port1.onmessage = () => {
      port1.close(); // a channel that stays open would keep some hosts alive
      run();
    };
    port2.postMessage(0);
  } else {
    host.setTimeout(run, 0);
  }
}

/** Runs `run` after a while of real time. The process may end before, unless `keepAlive`. */
export function hostPause(run: () => void, delayMs: number, keepAlive: boolean): void {
  const timer = host.setTimeout(run, delayMs);
  if (!keepAlive) unreference(timer);
}

/**
 * As `hostTask`, for a process that may end before. A timer, because Node sleeps
 * without looking at immediates that do not keep it alive.
 */
export function hostTaskUnreferenced(run: () => void): void {
  unreference(host.setTimeout(run, 0));
}

function unreference(timer: TimerHandle | number): void {
  if (typeof timer === 'number') host.Deno?.unrefTimer?.(timer);
  else timer.unref?.();
}
