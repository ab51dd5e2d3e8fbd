/** What can be asked of a simulated network. All is optional; the defaults are mild. */

/** Least and most, both included. */
export type Range = readonly [number, number];

export interface SimOptions {
  /** Two networks of the same seed that see the same calls behave the same. Default 1. */
  readonly seed?: number;
  /** Receives pending on one connection, 1 … 64. Default 1. */
  readonly receiveDepth?: number;
  /** Sends pending on one connection, 1 … 64; above 1 each send is whole. Default 1. */
  readonly sendDepth?: number;
  /** Largest single send or receive. Default 262,144. */
  readonly maxTransferBytes?: number;
  /** Receives are armed once and choose their buffers (`Limits.selectsBuffers`). Default false. */
  readonly selectsBuffers?: boolean;

  /**
   * Probability that the completion of an operation is reported late or out of
   * order with those of other operations, as if several threads dequeued. Bytes
   * are assigned to receives in submission order all the same. Default 0.
   */
  readonly shuffle?: number;
  /** Longest lateness by `shuffle`, in virtual milliseconds. Default 1. */
  readonly shuffleMs?: number;
  /** Probability that a transfer is cut somewhere: a partial receive, a partial send. Default 0. */
  readonly split?: number;
  /** One way through the network, in virtual milliseconds. Default [0, 1]. */
  readonly delayMs?: Range;
  /** Bytes in a millisecond in each direction of a connection; 0 is without limit. Default 0. */
  readonly bandwidthBytesPerMs?: number;
  /** Most bytes of one direction that were accepted and not yet received. Default 65,536. */
  readonly windowBytes?: number;

  /** Probability, for each stream operation, that the connection is reset. Default 0. */
  readonly resetProbability?: number;
  /** Probability that a cancel loses where success is near: bytes or a connection are on the way. Default 0. */
  readonly loseCancelProbability?: number;
  /** Probability, for each receive or arrival, that buffers are taken away for a while. Default 0. */
  readonly bufferExhaustion?: number;
  /** For how long, in virtual milliseconds. Default [0, 4]. */
  readonly bufferExhaustionMs?: Range;
  /** Probability that an armed receive ends with a buffer and without COMPLETION_MORE, as io_uring may. Default 0. */
  readonly disarm?: number;

  /** Probability that a datagram is lost. Default 0. */
  readonly datagramLoss?: number;
  /** Probability that a datagram arrives twice. Default 0. */
  readonly datagramDuplicate?: number;
  /** Probability that a datagram is overtaken by later ones. Default 0. */
  readonly datagramReorder?: number;
  /** Datagrams that wait for a receive on one socket; further ones are lost. Default 256. */
  readonly datagramQueue?: number;

  /** Hosts that never answer a connect. */
  readonly blackhole?: readonly string[];
  /** Hosts to which there is no route. */
  readonly unreachable?: readonly string[];
  /** When the network itself gives up on a connect, in virtual milliseconds. Default 127,000. */
  readonly connectTimeoutMs?: number;

  /** Nothing happens by itself: the test steps by `selection.network.step()`. Default false. */
  readonly paused?: boolean;
  /** Most things done in one pass of the host's event loop. Default 256. */
  readonly batch?: number;
  /** Verify that lent ranges are left alone (contract rule 4); a violation throws. Default true. */
  readonly checkLent?: boolean;
  /** Lines on everything that is reported are appended here, to compare two runs. */
  readonly trace?: string[];
}

export type SimSettings = Readonly<Required<Omit<SimOptions, 'trace'>>> & {
  readonly trace: string[] | undefined;
};

const DEFAULTS: SimSettings = {
  seed: 1,
  receiveDepth: 1,
  sendDepth: 1,
  maxTransferBytes: 262_144,
  selectsBuffers: false,
  shuffle: 0,
  shuffleMs: 1,
  split: 0,
  delayMs: [0, 1],
  bandwidthBytesPerMs: 0,
  windowBytes: 65_536,
  resetProbability: 0,
  loseCancelProbability: 0,
  bufferExhaustion: 0,
  bufferExhaustionMs: [0, 4],
  disarm: 0,
  datagramLoss: 0,
  datagramDuplicate: 0,
  datagramReorder: 0,
  datagramQueue: 256,
  blackhole: [],
  unreachable: [],
  connectTimeoutMs: 127_000,
  paused: false,
  batch: 256,
  checkLent: true,
  trace: undefined,
};

/** Whole numbers, with their least and most. */
const WHOLE: Readonly<Record<string, Range>> = {
  receiveDepth: [1, 64],
  sendDepth: [1, 64],
  maxTransferBytes: [1, 2 ** 31 - 1],
  windowBytes: [1, 2 ** 31 - 1],
  datagramQueue: [1, 2 ** 20],
  batch: [1, 2 ** 20],
};
const PROBABILITIES = [
  'shuffle',
  'split',
  'resetProbability',
  'loseCancelProbability',
  'bufferExhaustion',
  'disarm',
  'datagramLoss',
  'datagramDuplicate',
  'datagramReorder',
] as const;
const AMOUNTS = ['shuffleMs', 'bandwidthBytesPerMs', 'connectTimeoutMs'] as const;
const RANGES = ['delayMs', 'bufferExhaustionMs'] as const;

function refuse(name: string, value: unknown, expected: string): never {
  throw new RangeError(`sim: ${name} must be ${expected}, not ${String(value)}`);
}

/** Options with their defaults. Throws RangeError on what makes no sense. */
export function settingsOf(options: SimOptions = {}): SimSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name] of given) {
    if (!(name in DEFAULTS)) refuse('options', name, 'known by name');
  }
  const settings = { ...DEFAULTS, ...Object.fromEntries(given) } as SimSettings;
  const numbers = settings as unknown as Record<string, number>;
  if (!Number.isFinite(settings.seed)) refuse('seed', settings.seed, 'a finite number');
  for (const [name, [least, most]] of Object.entries(WHOLE)) {
    const value = numbers[name] as number;
    if (!Number.isInteger(value) || value < least || value > most) {
      refuse(name, value, `a whole number from ${least} to ${most}`);
    }
  }
  for (const name of PROBABILITIES) {
    if (!(settings[name] >= 0 && settings[name] <= 1)) {
      refuse(name, settings[name], 'a probability from 0 to 1');
    }
  }
  for (const name of AMOUNTS) {
    if (!(settings[name] >= 0 && settings[name] < Infinity)) {
      refuse(name, settings[name], 'a finite number, not negative');
    }
  }
  for (const name of RANGES) {
    const [least, most] = settings[name];
    if (!(least >= 0 && least <= most && most < Infinity)) {
      refuse(name, settings[name], 'a range [least, most]');
    }
  }
  return settings;
}
