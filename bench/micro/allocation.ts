/**
 * What the batch path allocates on the host's heap: an echo port without I/O,
 * so that nobody else's garbage is counted. Two ways that must agree: how much
 * the heap grew between collections, and what V8's sampling profiler saw, with
 * what was collected meanwhile.
 */
import { openEcho } from './cases/turn.ts';

const [CONNECTIONS, FRAMES] = [50, 16];
const WARM_MESSAGES = 400_000;
/** One allocation in so many bytes is looked at. */
const SAMPLING_BYTES = 4096;

export interface Allocation {
  readonly messages: number;
  /** Bytes allocated by the profiler's estimate, by function: the largest first. */
  readonly sites: readonly { readonly site: string; readonly bytes: number }[];
  readonly sampledBytes: number;
  /** Collections that happened during the run. */
  readonly collections: number;
  /** How much larger the heap is, where nothing was collected; else NaN as null. */
  readonly grownBytes: number | null;
}

interface ProfileNode {
  readonly callFrame: { functionName: string; url: string; lineNumber: number };
  readonly selfSize: number;
  readonly children: readonly ProfileNode[];
}

export async function measureAllocation(messages: number): Promise<Allocation> {
  const { Session } = await import('node:inspector');
  const { PerformanceObserver } = await import('node:perf_hooks');
  const { setImmediate } = await import('node:timers/promises');
  const port = await openEcho('batch', CONNECTIONS, FRAMES);
  const perPass = CONNECTIONS * FRAMES;
  const run = (count: number) => {
    for (let done = 0; done < count; done += perPass) port.pass();
  };
  run(WARM_MESSAGES);
  const session = new Session();
  session.connect();
  const post = (method: string, parameters: object = {}) =>
    new Promise<{ profile?: { head: ProfileNode } }>((resolve, reject) => {
      session.post(method, parameters, (error, result) => {
        if (error === null) resolve((result ?? {}) as { profile?: { head: ProfileNode } });
        else reject(error);
      });
    });
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  observer.observe({ entryTypes: ['gc'] });
  await post('HeapProfiler.startSampling', {
    samplingInterval: SAMPLING_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  // What starting them has left is not the path's.
  await setImmediate();
  collections = 0;
  const before = process.memoryUsage().heapUsed;
  run(messages);
  const grown = process.memoryUsage().heapUsed - before;
  await setImmediate();
  const { profile } = await post('HeapProfiler.stopSampling');
  observer.disconnect();
  session.disconnect();
  const sites = new Map<string, number>();
  const visit = ({ callFrame, selfSize, children }: ProfileNode) => {
    if (selfSize > 0) {
      const { functionName, url, lineNumber } = callFrame;
      const file = url.slice(url.lastIndexOf('/') + 1);
      const site = `${functionName || '(anonymous)'} ${file}:${lineNumber + 1}`;
      sites.set(site, (sites.get(site) ?? 0) + selfSize);
    }
    children.forEach(visit);
  };
  if (profile !== undefined) visit(profile.head);
  const sorted = [...sites].sort((a, b) => b[1] - a[1]);
  return {
    messages,
    sites: sorted.slice(0, 10).map(([site, bytes]) => ({ site, bytes })),
    sampledBytes: sorted.reduce((sum, [, bytes]) => sum + bytes, 0),
    collections,
    grownBytes: collections === 0 ? grown : null,
  };
}
