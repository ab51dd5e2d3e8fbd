/** `listen` with workers: which kind of server it makes. */
import type { WorkerListenOptions } from '../../types.ts';
import type { Listen } from './listener.ts';
import { workerSettings } from './settings.ts';
import type { WorkerServer } from './worker-server.ts';

/**
 * @param listen of this thread, for the port that workers share, or that accepts for theirs
 * @throws OverlappedError INVALID_OPTION, also for a handlers' module that does
 *   not exist, throws while loading or exports no handlers (`cause` is the
 *   exception); TIMED_OUT if it does not load in time; NOT_SUPPORTED where the
 *   backend cannot do it, in words; NO_BUFFERS if there is not enough memory for
 *   so many workers; and what `listen` throws.
 */
export async function listenWithWorkers(
  options: WorkerListenOptions,
  listen: Listen,
): Promise<WorkerServer> {
  const settings = workerSettings(options);
  if (settings.scheduling === 'pinned') {
    const { PinnedServer } = await import('./pinned-server.ts');
    return PinnedServer.open(settings, listen);
  }
  const { SharedServer } = await import('./shared-server.ts');
  return SharedServer.open(settings, listen);
}
