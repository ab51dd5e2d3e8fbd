/**
 * The one place that names backends. Each is loaded only when it is asked for,
 * so that a foreign-function library loads where it is used and nowhere else.
 */
import type { BackendModule, BackendSelection, Probe, SystemEvents } from '../backends/backend.ts';
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

/** A backend that passed its probe, and how it came to be chosen. */
export interface Choice {
  readonly selection: BackendSelection<unknown>;
  readonly reason: string;
  readonly tried: readonly BackendReport[];
}

async function selectionOf(name: BackendName): Promise<BackendSelection<unknown> | undefined> {
  const load = LOADERS[name];
  if (load === undefined) return undefined;
  const module = (await load()) as BackendModule<unknown>;
  return {
    name: module.name,
    options: {},
    probe: () => module.probe(),
    create: (host, options) => module.create(host, options),
    memoryBytes: (options, sizes) => module.memoryBytes?.(options, sizes) ?? 0,
  };
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
 * The named events of this system, by the foreign calls of the backend that has them.
 * @throws Error in words for a person: why there are none here
 */
export async function systemEvents(): Promise<SystemEvents> {
  const { openEvents } = await import('../backends/iocp/event.ts');
  return openEvents();
}
