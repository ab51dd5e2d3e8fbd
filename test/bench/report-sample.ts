/** Made-up results in the shape that benchmarks write: every feature of the page, no measurement. */
import {
  type BenchmarkResult,
  type Curve,
  type Figure,
  FORMAT_VERSION,
  type Group,
  judgeLimit,
  judgeRatio,
  type Ratio,
  type Row,
} from '../../bench/report/model.ts';

function spread(median: number, share = 0.06): Figure {
  return { median, least: median * (1 - share), greatest: median * (1 + share * 1.4), samples: 7 };
}

const COMMON = {
  format: 'overlapped-benchmark',
  version: FORMAT_VERSION,
  package: { version: '0.1.0', build: 'release' },
  startedAt: '2031-02-03T04:05:06.789Z',
  machine: {
    cpu: 'Example Processor 9000 @ 3.00GHz',
    cores: 2,
    memoryBytes: 8 * 2 ** 30,
    os: 'Example Linux 12',
    kernel: 'Linux 6.1.0',
    remarks: ['virtual machine', 'governor not reported'],
  },
} as const;

const HOSTS = ['node', 'bun', 'deno', 'chromium', 'node.exe'] as const;
const KINDS = [
  ['core', 'own', 1],
  ['good JavaScript', 'peer', 2.1],
  ['Buffer.concat + subarray', 'peer', 9.3],
  ['gcc -O3', 'ceiling', 0.91],
] as const satisfies readonly (readonly [string, Row['role'], number])[];

function decodeGroup(sizeBytes: number): Group {
  const rows = HOSTS.flatMap((host, place) =>
    KINDS.filter(([, role]) => role !== 'ceiling' || place === 0).map(([name, role, factor]) => {
      const time = (3.1 + sizeBytes / 200) * factor * (1 + place / 9);
      const row: Row = {
        id: `decode-${sizeBytes}-${host}-${name}`,
        name,
        role,
        ...(role === 'ceiling' ? {} : { host }),
        labels: {},
        figures: {
          time: spread(time, place === 3 ? 0.3 : 0.05),
          data: spread(sizeBytes / time),
        },
        checksum: '9f86d081',
      };
      return row;
    }),
  );
  return {
    id: `decode-${sizeBytes}`,
    title: `Length-field decode, ${sizeBytes} B, whole`,
    about: '1,000 frames in one chunk; each row finds every frame and adds up its first byte.',
    section: 'Decode',
    measures: [
      { id: 'time', label: 'time', unit: 'ns/message', better: 'less' },
      { id: 'data', label: 'data', unit: 'GB/s', better: 'more' },
    ],
    rows,
  };
}

const order: Group = {
  id: 'order-256',
  title: 'In-order store, fully shuffled',
  section: 'Order',
  measures: [{ id: 'time', label: 'time', unit: 'ns/message', better: 'less' }],
  rows: [
    ...[16, 256, 4096].flatMap((window) =>
      KINDS.slice(0, 2).map(([name, role, factor]) => ({
        id: `order-${window}-${name}`,
        name,
        role,
        host: 'node',
        labels: { window },
        figures: { time: spread(6 * factor + window / 900) },
      })),
    ),
    ...[16, 256].map((window) => ({
      id: `order-${window}-map`,
      name: 'Map',
      role: 'peer' as const,
      host: 'node',
      labels: { window },
      figures: { time: spread(window * 5, 0.2) },
    })),
    {
      id: 'order-4096-map',
      name: 'Map',
      role: 'peer',
      host: 'node',
      labels: { window: 4096 },
      figures: {},
      failed: 'checksum 11ff00aa instead of 9f86d081',
    },
  ],
};

function ratio(of: string, to: string, measure: string, value: Figure, promised?: number): Ratio {
  const verdict = judgeRatio(value, promised);
  return { of, to, measure, value, verdict, ...(promised === undefined ? {} : { promised }) };
}

const lines: Curve = {
  id: 'decode-size',
  title: 'Length-field decode against the size of a message',
  section: 'Decode',
  x: { label: 'message', unit: 'B', log: true },
  y: { label: 'time', unit: 'ns/message', log: true },
  better: 'less',
  series: KINDS.map(([name, role, factor]) => ({
    name,
    role,
    host: 'node',
    points: [16, 64, 256, 1024, 16_384].map((size) => {
      const time = (3 + size / 200) * factor;
      return [size, time, time * 0.93, time * 1.12] as const;
    }),
  })),
};

export const micro: BenchmarkResult = {
  ...COMMON,
  kind: 'micro',
  durationSeconds: 43,
  command: ['overlapped', 'bench', 'micro', '--quick', '--json', 'a file.json'],
  hosts: [...HOSTS.map((name) => ({ name, version: '1.2.3' })), { name: 'gcc', version: '12.2.0' }],
  groups: [decodeGroup(16), decodeGroup(64), order],
  curves: [lines],
  ratios: [
    ratio('decode-64-node-core', 'decode-64-node-gcc -O3', 'time', spread(0.91, 0.02), 0.85),
    ratio('decode-64-node-core', 'decode-64-node-good JavaScript', 'time', spread(2.1), 1.5),
    ratio('decode-16-node-core', 'decode-16-node-good JavaScript', 'time', spread(1.48, 0.2), 1.5),
    ratio('order-256-core', 'order-256-map', 'time', spread(12.6), 15),
    ratio('order-256-core', 'order-256-good JavaScript', 'time', spread(2.02), 2),
    ratio('decode-64-bun-core', 'decode-64-bun-good JavaScript', 'time', spread(1.9, 0.4)),
  ],
  limits: [
    {
      row: 'decode-64-node-core',
      measure: 'time',
      promised: 25,
      verdict: judgeLimit(spread(3.42, 0.05), 25, 'less'),
    },
  ],
  notes: [
    {
      kind: 'loses',
      subject: 'Order',
      text: 'in order, window 16: the good JavaScript needs less.',
    },
    { kind: 'failed', subject: 'Map, window 4096', text: 'its checksum is another one.' },
    { kind: 'left out', subject: 'bun.exe', text: 'Wine is not installed.' },
  ],
};

const SERVERS = [
  ['overlapped uring, batch', 'own', 'node', 1],
  ['overlapped net, batch', 'own', 'node', 0.61],
  ['node:net, a write a frame, corked', 'peer', 'node', 0.46],
  ['node:net, one concatenated write a chunk', 'peer', 'node', 0.6],
  ['Bun.listen, one write a chunk', 'peer', 'bun', 0.82],
  ['ws', 'peer', 'node', 0.11],
  ['C, epoll', 'ceiling', undefined, 1.04],
] as const;

function echoGroup(title: string, rate: number): Group {
  return {
    id: title,
    title,
    section: 'Echo',
    measures: [
      { id: 'rate', label: 'messages', unit: '1/s', better: 'more' },
      { id: 'data', label: 'data each way', unit: 'MB/s', better: 'more' },
      { id: 'cpu', label: 'server CPU', unit: 'ns/message', better: 'less' },
      { id: 'p50', label: 'p50 latency', unit: 'µs', better: 'less' },
      { id: 'p99', label: 'p99 latency', unit: 'µs', better: 'less' },
      { id: 'p999', label: 'p99.9 latency', unit: 'µs', better: 'less' },
      { id: 'memory', label: 'resident memory', unit: 'MiB', better: 'less' },
      { id: 'calls', label: 'system calls', unit: 'calls/message', better: 'less' },
    ],
    rows: SERVERS.map(([name, role, host, factor]) => ({
      id: `${title}/${name}`,
      name,
      role,
      ...(host === undefined ? {} : { host }),
      labels: {},
      figures: {
        rate: spread(rate * factor, factor === 1 ? 0.07 : 0.02),
        data: spread((rate * factor * 64) / 1e6),
        cpu: spread(1e9 / (rate * factor)),
        p50: spread(740 / factor),
        p99: spread(1900 / factor),
        p999: spread(4100 / factor, 0.4),
        memory: spread(70 + 10 * factor, 0.01),
        ...(role === 'own' ? { calls: spread(0.031 / factor) } : {}),
      },
    })),
  };
}

const echoGroups = [
  echoGroup('50 connections × 16 in flight, 64 B', 1_212_000),
  echoGroup('1 connection × 1 in flight, 64 B', 34_100),
];

export const echo: BenchmarkResult = {
  ...COMMON,
  kind: 'echo',
  durationSeconds: 540,
  command: ['overlapped', 'bench', 'echo', '--report', 'echo.html'],
  hosts: [
    { name: 'node', version: '20.20.2' },
    { name: 'bun', version: '1.4.5' },
    { name: 'gcc', version: '12.2.0' },
  ],
  groups: echoGroups,
  curves: [],
  ratios: echoGroups.flatMap(({ id }, index) => [
    ratio(`${id}/${SERVERS[0][0]}`, `${id}/C, epoll`, 'rate', spread(0.97, 0.04), 0.95),
    ratio(
      `${id}/${SERVERS[1][0]}`,
      `${id}/${SERVERS[2][0]}`,
      'rate',
      spread(1.31 - index / 3, 0.03),
      1.2,
    ),
    ratio(`${id}/${SERVERS[0][0]}`, `${id}/${SERVERS[4][0]}`, 'rate', spread(1.2, 0.02)),
    ratio(`${id}/${SERVERS[0][0]}`, `${id}/${SERVERS[4][0]}`, 'cpu', spread(1.4, 0.02)),
  ]),
  limits: [],
  notes: [
    {
      kind: 'loses',
      subject: 'overlapped net, batch',
      text: 'messages/s against corked: 1x1 0.98.',
    },
    { kind: 'left out', subject: 'zeromq', text: 'the package is not installed.' },
    { kind: 'remark', subject: '50x16', text: 'the load generator was busy all the time.' },
  ],
};

const connections = [1, 10, 100, 1000, 10_000];

export const growth: BenchmarkResult = {
  ...COMMON,
  kind: 'growth',
  durationSeconds: 95,
  command: ['overlapped', 'bench', 'echo', '--growth'],
  hosts: [
    { name: 'node', version: '20.20.2' },
    { name: 'bun', version: '1.4.5' },
  ],
  groups: [],
  curves: [
    {
      id: 'connections',
      title: 'Connections: CPU time',
      about: 'One message in flight on each connection, 64 B.',
      section: 'Growth',
      x: { label: 'connections', unit: '', log: true },
      y: { label: 'server CPU', unit: 'ns/message', log: true },
      better: 'less',
      series: SERVERS.map(([name, role, host, factor], place) => ({
        name,
        role,
        ...(host === undefined ? {} : { host }),
        points: connections.map((count) => {
          const time = (900 + 20_000 / count + count * (0.06 + place / 50)) / factor;
          return [count, time, time * 0.9, time * 1.2] as const;
        }),
      })),
    },
    {
      id: 'workers',
      title: 'Workers: messages',
      section: 'Growth',
      x: { label: 'workers', unit: '' },
      y: { label: 'messages', unit: '1/s' },
      better: 'more',
      series: [
        {
          name: 'overlapped net, pinned',
          role: 'own',
          host: 'node',
          points: [1, 2, 3, 4].map((count) => {
            const rate = 410_000 * Math.min(count, 2) ** 0.9;
            return [count, rate, rate * 0.95, rate * 1.02] as const;
          }),
        },
        {
          name: 'overlapped net, shared',
          role: 'own',
          host: 'node',
          points: [1, 2, 4].map((count) => {
            const rate = 350_000 * Math.min(count, 2) ** 0.8;
            return [count, rate, rate * 0.9, rate * 1.1] as const;
          }),
        },
      ],
    },
  ],
  ratios: [],
  limits: [],
  notes: [],
};
