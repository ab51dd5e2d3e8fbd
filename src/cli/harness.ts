/** `overlapped harness`: the test harness for echo servers (R11). */
import { parseFraming } from '../index.ts';
import { command } from './command.ts';
import { Load, type LoadOptions, type LoadResult } from './load.ts';
import { choice, integer, type Option, text } from './options.ts';
import { EXIT_FAILED, EXIT_OK, usageError } from './outcome.ts';
import { Packets, parseSize, type SizeRange } from './packets.ts';
import { count, duration, Progress, paint, size, table } from './terminal.ts';

/** Backends that a command line may name. */
export const BACKENDS = ['auto', 'net', 'bun', 'uring', 'iocp'] as const;

export const framingOption = text(
  'TEXT',
  'u8, u16, u24, u32, u64 with le or be, varint, line, raw; then ,inclusive ,max=BYTES',
  'u16le,inclusive',
);

const sizeOption: Option<SizeRange | 'mixed'> = {
  placeholder: 'MIN[-MAX]|mixed',
  help: 'bytes of a packet on the wire; mixed: the smallest to 65535, log-uniform',
  fallback: 'mixed',
  allowed: 'bytes from 1, as SIZE or MIN-MAX, or mixed',
  parse: parseSize,
};

export const loadOptions = {
  connections: integer('connections', 20, 1, 10_000),
  messages: integer('messages over all connections', 100_000, 1, 1e9),
  'in-flight': integer('messages without reply that a connection may have', 16, 1, 4096),
  size: sizeOption,
  seed: integer('what sizes and contents follow from', 1, 0, 2 ** 31 - 1),
  timeout: integer('milliseconds without a reply after which a connection is over', 10_000, 1, 1e7),
} as const;

export const harness = command({
  name: 'harness',
  summary: 'Sends packets to an echo server and checks every reply.',
  notes: [
    'Exit 1 if a reply was out of order (sequence mismatch), differed from its message',
    '(content mismatch), came twice, or did not come (lost).',
  ].join('\n'),
  options: {
    host: text('ADDRESS', 'the server', '127.0.0.1'),
    port: integer('its TCP port', 0, 0, 65_535),
    path: text('PATH', 'its Unix socket or named pipe, instead'),
    framing: framingOption,
    ...loadOptions,
    backend: choice(BACKENDS, 'backend of this side', 'auto'),
  },
  async run(values) {
    const { host, port, path, backend } = values;
    if (port === 0 && path === '') throw usageError('--port or --path says where the server is');
    const framing = parseFraming(values.framing);
    const result = await runLoad({
      target: { host, port, path },
      framing,
      packets: new Packets(framing, values.size, values.seed),
      connections: values.connections,
      messages: values.messages,
      inFlight: values['in-flight'],
      backend,
      timeoutMs: values.timeout,
    });
    console.log(values.json ? JSON.stringify(result) : describeLoad(result));
    return result.held ? EXIT_OK : EXIT_FAILED;
  },
});

/** Runs a load with progress on the error output. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const load = new Load(options);
  const { tally } = load;
  const progress = new Progress(() => {
    const percent = ((100 * tally.received) / options.messages).toFixed(0);
    return `${percent.padStart(3)} %  ${count(tally.received)} of ${count(options.messages)} replies`;
  });
  try {
    return await load.run();
  } finally {
    progress.stop();
  }
}

export function describeLoad(result: LoadResult): string {
  const { latencyMicroseconds: latency } = result;
  const wrong = (value: number) => (value === 0 ? '0' : paint(count(value), 'red'));
  const errors = Object.entries(result.errors).map(([code, times]) => `${code} × ${times}`);
  const percentiles = [
    `p50 ${duration(latency.p50)}`,
    `p90 ${duration(latency.p90)}`,
    `p99 ${duration(latency.p99)}`,
    `p99.9 ${duration(latency.p99_9)}`,
    `max ${duration(latency.max)}`,
  ];
  const rows: [string, string][] = [
    ['connections', count(result.connections)],
    ['sent', `${count(result.sent)} messages, ${size(result.bytesSent)}`],
    ['received', `${count(result.received)} messages, ${size(result.bytesReceived)}`],
    ['sequence mismatches', wrong(result.sequenceMismatches)],
    ['content mismatches', wrong(result.contentMismatches)],
    ['duplicates', wrong(result.duplicates)],
    ['lost', wrong(result.lost)],
    ...(errors.length > 0 ? [['errors', paint(errors.join(', '), 'red')] as [string, string]] : []),
    [
      'rate',
      `${count(result.messagesPerSecond)} messages/s, ${result.megabytesPerSecond.toFixed(0)} MB/s there and back, ${result.seconds.toFixed(1)} s`,
    ],
    ['latency', percentiles.join('  ')],
  ];
  const verdict = result.held
    ? paint('every message came back once, in order and unchanged', 'green')
    : paint('NOT every message came back once, in order and unchanged', 'red');
  return `${table(rows)}\n${verdict}`;
}
