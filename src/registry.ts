/**
 * The one place that names backends. Each is loaded only when it is asked for,
 * so that a foreign-function library loads where it is used and nowhere else.
 */
import type {
  BackendModule,
  BackendSelection,
  Dequeuer,
  Probe,
  SystemEvents,
  Waker,
  WorkerDriver,
} from '../backends/backend.ts';
import type { SharedSockets } from '../backends/shared-socket.ts';
import type { Core } from './core/core.ts';
import { OverlappedError } from './errors.ts';
import { invalidOption } from './options.ts';
import type { BackendName, PortOptions } from './port-options.ts';

/** Fastest first; `auto` takes the first that passes its probe. */
const AUTOMATIC: readonly BackendName[] = ['iocp', 'uring', 'bun', 'net'];
const NAMES: readonly BackendName[] = [...AUTOMATIC, 'sim'];

const LOADERS: Readonly<Record<BackendName, (() => Promise<unknown>) | undefined>> = {
  iocp: () => import('../backends/iocp/index.ts'),
  uring: () => import('../backends/uring/index.ts'),
  bun: () => import('../backends/bun/index.ts'),
  net: () => import('../backends/net/index.ts'),
  sim: () => import('../backends/sim/index.ts'),
};

/** One line of `info` and of `port.backend.tried`. */
export interface BackendReport {
  readonly name: string;
  readonly available: boolean;
  /** Why not, or what a person may want to know about it. */
  readonly reason: string | undefined;
}

/** A selection, with what concerns threads that die. */
export interface ThreadSelection extends BackendSelection<unknown> {
  readonly reclaim: BackendModule['reclaim'];
}

/** A backend as it is told to another thread. */
export interface BackendDescription {
  readonly name: string;
  readonly options: object;
}

/** A backend that passed its probe, and how it came to be chosen. */
export interface Choice {
  readonly selection: BackendSelection<unknown>;
  readonly reason: string;
  readonly tried: readonly BackendReport[];
}

async function selectionOf(
  name: BackendName,
  options: object = {},
): Promise<ThreadSelection | undefined> {
  const module = await moduleOf(name);
  if (module === undefined) return undefined;
  return {
    name: module.name,
    options,
    reclaim: module.reclaim,
    probe: () => module.probe(),
    create: (host, options) => module.create(host, options),
    memoryBytes: (options, sizes) => module.memoryBytes?.(options, sizes) ?? 0,
  };
}

async function moduleOf(name: string): Promise<BackendModule<unknown> | undefined> {
  const load = Object.hasOwn(LOADERS, name) ? LOADERS[name as BackendName] : undefined;
  return (await load?.()) as BackendModule<unknown> | undefined;
}

async function probeOf(selection: BackendSelection<unknown> | undefined): Promise<Probe> {
  if (selection === undefined) return { available: false, reason: 'not part of this version' };
  try {
    return await selection.probe();
  } catch (cause) {
    return { available: false, reason: cause instanceof Error ? cause.message : String(cause) };
  }
}

function report(name: string, probe: Probe): BackendReport {
  return {
    name,
    available: probe.available,
    reason: probe.available ? probe.detail : probe.reason,
  };
}

/** Probes every backend of this version. */
export async function probeAll(): Promise<readonly BackendReport[]> {
  const reports: BackendReport[] = [];
  for (const name of NAMES) reports.push(report(name, await probeOf(await selectionOf(name))));
  return reports;
}

/**
 * @param failed by name, why a backend that passed its probe could not be had after all:
 *   `auto` passes it over
 * @throws OverlappedError INVALID_OPTION, NOT_SUPPORTED with the reason why not
 */
export async function chooseBackend(
  wanted: PortOptions['backend'] = 'auto',
  failed: ReadonlyMap<string, string> = new Map(),
): Promise<Choice> {
  if (typeof wanted === 'object') {
    const selection = wanted as BackendSelection<unknown>;
    return demand(selection.name, selection, 'chosen by its own options');
  }
  if (wanted !== 'auto') {
    if (!NAMES.includes(wanted)) {
      throw invalidOption('backend', wanted, `auto, ${NAMES.join(', ')}, or a backend's selection`);
    }
    return demand(wanted, await selectionOf(wanted), 'chosen by name');
  }
  const tried: BackendReport[] = [];
  for (const name of AUTOMATIC) {
    const reason = failed.get(name);
    const selection = await selectionOf(name);
    const probe: Probe =
      reason === undefined ? await probeOf(selection) : { available: false, reason };
    tried.push(report(name, probe));
    if (probe.available && selection !== undefined) {
      const passed = tried.slice(0, -1).map((entry) => `${entry.name}: ${entry.reason}`);
      const why = passed.length === 0 ? 'the fastest' : `the fastest here (${passed.join('; ')})`;
      return { selection, reason: why, tried };
    }
  }
  throw new OverlappedError(
    'NOT_SUPPORTED',
    `no backend runs on this host (${tried.map((entry) => `${entry.name}: ${entry.reason}`).join('; ')})`,
  );
}

async function demand(
  name: string,
  selection: BackendSelection<unknown> | undefined,
  reason: string,
): Promise<Choice> {
  const probe = await probeOf(selection);
  if (!probe.available || selection === undefined) {
    const why = probe.available ? 'not part of this version' : probe.reason;
    throw new OverlappedError('NOT_SUPPORTED', `the backend ${name} cannot run here: ${why}`);
  }
  return { selection, reason, tried: [report(name, probe)] };
}

/**
 * The backend that a description from another thread names.
 * @throws OverlappedError INVALID_OPTION
 */
export async function describedBackend(name: string, options: object): Promise<ThreadSelection> {
  const selection = await selectionOf(name as BackendName, options);
  if (selection === undefined) {
    const allowed = `one that each thread can make for itself: ${NAMES.join(', ')}`;
    throw invalidOption('backend', name, allowed);
  }
  return selection;
}

export interface SpreadingChoice {
  readonly choice: Choice;
  readonly description: BackendDescription;
  /** How each thread's port can be driven, the better way first. */
  readonly drivers: readonly WorkerDriver[];
  /** The system does not spread connections: one thread accepts them, and gives them to the others. */
  readonly handsOver: boolean;
}

/**
 * As `chooseBackend`, for ports of several threads that have the connections of one address.
 * @throws OverlappedError INVALID_OPTION, NOT_SUPPORTED with the reason why not
 */
export async function chooseSpreadingBackend(
  wanted: 'auto' | BackendDescription,
  failed: Map<string, string>,
): Promise<SpreadingChoice> {
  for (;;) {
    const choice = await chooseBackend(
      wanted === 'auto' ? 'auto' : await describedBackend(wanted.name, wanted.options),
      failed,
    );
    const { name } = choice.selection;
    const module = await moduleOf(name);
    const spreads = await module?.spreads?.();
    const handsOver = spreads?.available !== true && module?.handsOver === true;
    if (spreads?.available || handsOver) {
      const description = wanted === 'auto' ? { name, options: {} } : wanted;
      return { choice, description, drivers: module?.workerDrivers?.() ?? ['loop'], handsOver };
    }
    const reason = spreads?.reason ?? `not shown for ${name}`;
    if (wanted !== 'auto') {
      throw new OverlappedError(
        'NOT_SUPPORTED',
        `the backend ${name} cannot be pinned here: ${reason}; ${insteadOfPinned()}`,
      );
    }
    failed.set(name, reason);
  }
}

/** What to do where a backend cannot be pinned. */
function insteadOfPinned(): string {
  const shared = "scheduling: 'shared' can have several workers here";
  // No import of node:process: this file is loaded in browsers, too.
  const { process } = globalThis as { process?: { platform?: string } };
  return process?.platform === 'win32' ? `backend: 'iocp' can be pinned, and ${shared}` : shared;
}

/**
 * What ends waits of a driver in another thread; undefined where the backend has no such thing.
 * @throws Error in words for a person
 */
export async function openWaker(name: string, waker: number): Promise<Waker | undefined> {
  return (await moduleOf(name))?.openWaker?.(waker);
}

/**
 * What takes completions of another thread's driver in this one; undefined where that is not possible.
 * @throws Error in words for a person
 */
export async function openDequeuer(
  name: string,
  core: Core,
  dequeuing: unknown,
  worker: number,
): Promise<Dequeuer | undefined> {
  return (await moduleOf(name))?.openDequeuer?.(core, dequeuing, worker);
}

/**
 * Sees to what a driver of a thread that is no more has left in the system.
 * `handedOver`: sockets that it was given, and may not have taken.
 */
export async function reclaimRemains(
  name: string,
  memory: WebAssembly.Memory,
  remains: unknown,
  handedOver: readonly number[] = [],
): Promise<void> {
  await (await moduleOf(name))?.reclaim?.(memory, remains, handedOver);
}

/**
 * The named events of this system, by the foreign calls of the backend that has them.
 * @throws Error in words for a person: why there are none here
 */
export async function systemEvents(): Promise<SystemEvents> {
  const { openEvents } = await import('../backends/iocp/event.ts');
  return openEvents();
}

const SHARED_SOCKETS = {
  sim: () => import('../backends/sim/shared-socket.ts'),
  uring: () => import('../backends/uring/shared-socket.ts'),
  iocp: () => import('../backends/iocp/shared-socket.ts'),
} as const;
export type SharedSocketBackend = keyof typeof SHARED_SOCKETS;

/**
 * Sockets that several threads call with no lock of their own: for the experiments.
 * @throws OverlappedError NOT_SUPPORTED with the reason why not
 */
export async function sharedSockets(name: SharedSocketBackend): Promise<SharedSockets> {
  const { loadSharedSockets } = await SHARED_SOCKETS[name]();
  try {
    return await loadSharedSockets();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OverlappedError('NOT_SUPPORTED', `the backend ${name} cannot run here: ${why}`, {
      cause,
    });
  }
}
