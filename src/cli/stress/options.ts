/** The options of `overlapped stress`. 0 where an experiment has a number of its own. */
import type { SharedSocketBackend } from '../../registry.ts';
import { choice, integer, type Option, onOff, text, type Values } from '../options.ts';
import { usageError } from '../outcome.ts';

export const EXPERIMENT_NAMES = ['order', 'recv', 'senders', 'locks', 'close'] as const;
export type ExperimentName = (typeof EXPERIMENT_NAMES)[number];

const numbersOption = (
  help: string,
  fallback: string,
  most: number,
): Option<readonly number[]> => ({
  placeholder: 'N,N,…',
  help,
  // Shown as it is written; parsed like any other.
  fallback: parseNumbers(fallback, most) as readonly number[],
  allowed: `whole numbers from 1 to ${most}, with commas between`,
  parse: (value) => parseNumbers(value, most),
});

function parseNumbers(value: string, most: number): readonly number[] | undefined {
  const numbers = value.split(',').map((part) => (/^\d{1,7}$/.test(part) ? Number(part) : 0));
  return numbers.every((number) => number >= 1 && number <= most) ? numbers : undefined;
}

const sizeOption: Option<string> = {
  placeholder: 'MIN-MAX',
  help: 'senders: bytes of a packet on the wire',
  fallback: '64-4096',
  allowed: 'MIN-MAX, from 12 to 65536',
  parse: (value) => (sizeRange(value) ? value : undefined),
};

/** Undefined where `value` is none that is allowed. */
export function sizeRange(value: string): readonly [least: number, most: number] | undefined {
  const [, least, most = least] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(value) ?? [];
  const range = [Number(least), Number(most)] as const;
  return range[0] >= 12 && range[1] >= range[0] && range[1] <= 65_536 ? range : undefined;
}

export const stressOptions = {
  experiment: text('NAME', `which one: ${EXPERIMENT_NAMES.join(', ')}`),
  backend: choice(
    ['auto', 'sim', 'net', 'bun', 'uring', 'iocp'],
    'sim is a socket in shared memory, the others are real; auto: sim, for close the fastest',
    'auto',
  ),
  threads: integer('threads: recv 4, senders 20, order 2, close 4 where it is 0', 0, 0, 64),
  lock: choice(
    ['on', 'off', 'both'],
    'recv, senders: a lock around the call on the socket',
    'both',
  ),
  protocol: choice(['tcp', 'udp', 'both'], 'recv: the kind of socket', 'both'),
  receives: integer('recv: receives that each thread keeps issued', 5, 1, 256),
  'wait-all': onOff('recv: receives of a TCP stream fill their buffers (MSG_WAITALL)', false),
  slices: integer('recv: slices to check in each run', 20_000, 1, 1e9),
  'buffer-size': integer('recv: bytes of a receive buffer', 1024, 64, 65_536),
  max: integer('recv: the largest byte of the stream', 250, 1, 255),
  packets: integer('packets: senders 10,000, order 1,000,000 where it is 0', 0, 0, 1e9),
  size: sizeOption,
  server: choice(
    ['both', 'documents', 'package'],
    'order: the documents’ server, made of the package’s parts, or the package’s own',
    'both',
  ),
  'pool-threads': integer('order: threads of the pool', 4, 1, 64),
  'separate-locks': onOff(
    'order: the receive and the send call of a socket each have a lock of their own',
    false,
  ),
  workers: numbersOption('locks: numbers of workers', '1,2,4,8', 64),
  connections: numbersOption('locks: numbers of connections', '1,10,1000', 65_536),
  stripes: integer('locks: locks of the granularity stripes:N', 16, 1, 65_536),
  'cell-ms': integer('locks: milliseconds that a cell of the table is measured', 200, 1, 60_000),
  seconds: integer(
    'close: how long; elsewhere the most that a run may take: 0 is 10 and 300',
    0,
    0,
    86_400,
  ),
  scheduling: choice(
    ['auto', 'pinned', 'shared'],
    'close, order: how connections and workers go together; auto: pinned, but where order keeps several receives pending',
    'auto',
  ),
  clients: integer('close: clients at once', 32, 1, 1000),
  seed: integer('what is random follows from it; 0: a new one', 0, 0, 2 ** 32 - 1),
} as const;

export type StressValues = Values<typeof stressOptions>;

export function experimentName(value: string): ExperimentName {
  const found = EXPERIMENT_NAMES.find((name) => name === value);
  if (found !== undefined) return found;
  const given = value === '' ? 'is missing' : `'${value}' is not one`;
  throw usageError(`--experiment: ${given}; there are ${EXPERIMENT_NAMES.join(', ')}`);
}

/** The runs that `--lock` asks for; without it first, as the documents tell it. */
export function lockRuns(lock: StressValues['lock']): readonly boolean[] {
  return lock === 'both' ? [false, true] : [lock === 'on'];
}

/** Sockets that threads can call by themselves. @throws CommandError for a backend that has none */
export function sharedSocketBackend({ backend }: StressValues): SharedSocketBackend {
  if (backend === 'auto') return 'sim';
  if (backend === 'net' || backend === 'bun') {
    throw usageError(
      `--backend: '${backend}' has no calls that several threads can make; this experiment takes sim, uring, iocp`,
    );
  }
  return backend;
}

export function timeoutMs({ seconds }: StressValues): number {
  return (seconds || 300) * 1000;
}
