/** What grows, over which values, and which servers are looked at. */
import { serverOf } from '../echo/catalogue.ts';
import type { ServerEnv } from '../echo/measure.ts';
import type { LoadFigures } from '../echo/processes.mjs';
import { parseWorkload, type Workload } from '../echo/rounds.mjs';
import type { Axis, Better } from '../report/model.ts';

/** A server, and variables that differ from its own. */
export interface Variant {
  readonly server: string;
  /** By default the server's title. */
  readonly title?: string;
  readonly env?: ServerEnv;
}

export interface GrowthPoint {
  readonly x: number;
  readonly workload: Workload;
  readonly env?: ServerEnv;
}

/** A measure of a run, drawn against what grows. */
export interface GrowthCurve {
  readonly id: 'cpu' | 'rate' | 'data' | 'memory' | 'p99';
  readonly title: string;
  readonly y: Axis;
  readonly better: Better;
  /** Undefined where the system does not tell it. */
  value(run: LoadFigures, point: GrowthPoint): number | undefined;
}

export interface GrowthAxis {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly x: Axis;
  readonly points: readonly GrowthPoint[];
  /** With `--quick`, by their positions in `points`. */
  readonly quickPoints: readonly number[];
  readonly variants: readonly Variant[];
  readonly quickVariants: readonly number[];
  readonly curves: readonly GrowthCurve[];
  /** The server may use all cores that the load leaves, not just one. */
  readonly spreads?: boolean;
}

const MEBIBYTE = 2 ** 20;
const OPEN = 10_000;

const cpu: GrowthCurve = {
  id: 'cpu',
  title: 'server CPU time a message',
  y: { label: 'server CPU', unit: 'ns/message', log: true },
  better: 'less',
  value: ({ serverCpuNsPerMessage }) => serverCpuNsPerMessage || undefined,
};
const rate: GrowthCurve = {
  id: 'rate',
  title: 'messages a second',
  y: { label: 'messages', unit: '1/s' },
  better: 'more',
  value: ({ messagesPerSecond }) => messagesPerSecond,
};
const data: GrowthCurve = {
  id: 'data',
  title: 'data each way',
  y: { label: 'data each way', unit: 'MB/s' },
  better: 'more',
  value: ({ messagesPerSecond }, { workload: { size = 0 } }) => (messagesPerSecond * size) / 1e6,
};
const memory: GrowthCurve = {
  id: 'memory',
  title: 'resident memory',
  y: { label: 'resident memory', unit: 'MiB' },
  better: 'less',
  value: ({ serverResidentBytes }) =>
    serverResidentBytes ? serverResidentBytes / MEBIBYTE : undefined,
};
const p99: GrowthCurve = {
  id: 'p99',
  title: '99th percentile of latency',
  y: { label: 'p99 latency', unit: 'µs', log: true },
  better: 'less',
  value: ({ p99Us }) => p99Us,
};

/** `text` must differ from point to point: runs are kept by it. */
function point(x: number, workload: string, more: Partial<Workload> = {}, env?: ServerEnv) {
  const text = `${workload} ${x}`;
  return { x, workload: { ...parseWorkload(workload), text, ...more }, ...(env && { env }) };
}

const EVENT_LOOP: readonly Variant[] = [
  ...['overlapped-uring-batch', 'overlapped-net-batch', 'node-net-concat', 'c-epoll'],
  ...['overlapped-bun-batch', 'bun-concat', 'overlapped-iocp-batch'],
].map((server) => ({ server }));
const OURS_AND_C = [0, 1, 3];

const workers = (server: string, scheduling: 'pinned' | 'shared'): Variant => ({
  server,
  title: `${serverOf(server).title}s, ${scheduling}`,
  env: { SCHEDULING: scheduling },
});

export const AXES: readonly GrowthAxis[] = [
  {
    id: 'connections',
    title: 'Connections',
    about: 'One message of 64 B in flight on each connection.',
    x: { label: 'connections', unit: '', log: true },
    points: [1, 10, 100, 1000, OPEN].map((count) => point(count, `${count}x1x64`)),
    quickPoints: [0, 2, 4],
    variants: EVENT_LOOP,
    quickVariants: OURS_AND_C,
    curves: [cpu, rate, memory],
  },
  {
    id: 'size',
    title: 'Message size',
    about: '8 connections, 4 messages in flight on each. Lengths of 4 bytes above 65,535 B.',
    x: { label: 'message', unit: 'B', log: true },
    points: [4, 6, 8, 10, 12, 14, 16, 18, 20].map((log2) => point(2 ** log2, `8x4x${2 ** log2}`)),
    quickPoints: [1, 5, 8],
    variants: EVENT_LOOP,
    quickVariants: OURS_AND_C,
    curves: [cpu, data],
  },
  {
    id: 'active',
    title: 'Active connections among 10,000',
    about: 'So many of 10,000 open connections have one message of 64 B in flight.',
    x: { label: 'active connections', unit: '%', log: true },
    points: [10, 100, 1000, OPEN].map((active) =>
      point((active * 100) / OPEN, `${OPEN}x1x64`, { active }),
    ),
    quickPoints: [1],
    variants: EVENT_LOOP,
    quickVariants: OURS_AND_C,
    curves: [cpu, p99],
  },
  {
    id: 'receives',
    title: 'Receives pending on a connection',
    about:
      '8 connections, 64 messages of 256 B in flight on each, receive buffers of 1 KiB. Only backends that lend a buffer for each receive have more than one.',
    x: { label: 'receives pending', unit: '', log: true },
    points: [1, 2, 4, 8, 16, 32, 64].map((depth) =>
      point(depth, '8x64x256', {}, { RECEIVE_DEPTH: `${depth}`, RECEIVE_BUFFER_BYTES: '1024' }),
    ),
    quickPoints: [0, 3, 6],
    variants: [{ server: 'overlapped-iocp-batch' }],
    quickVariants: [0],
    curves: [cpu, rate],
  },
  {
    id: 'workers',
    title: 'Workers',
    about: '50 connections, 16 messages of 64 B in flight on each; workers on all cores.',
    x: { label: 'workers', unit: '' },
    points: [1, 2, 4, 8].map((count) => point(count, '50x16x64', {}, { WORKERS: `${count}` })),
    quickPoints: [0, 1],
    variants: [
      workers('overlapped-uring-worker', 'pinned'),
      workers('overlapped-net-worker', 'pinned'),
      workers('overlapped-uring-worker', 'shared'),
      workers('overlapped-net-worker', 'shared'),
    ],
    quickVariants: [0, 1],
    curves: [rate, cpu],
    spreads: true,
  },
];
