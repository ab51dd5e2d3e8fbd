/** What the connections of a `CompletionLoop` have in common, as a record in linear memory. */
import * as layout from '#generated/layout';
import type { Framing } from '../framing.ts';
import type { Core } from './core.ts';
import { framingRecordBytes, writeFramingRecord } from './framing-record.ts';
import { requireInteger, requirePowerOfTwo } from './memory.ts';

/** How the connections of one profile behave. */
export interface LoopProfileOptions {
  readonly framing: Framing;
  /** Received bytes are taken in the order of submission, not of completion. Default true. */
  readonly readOrder?: boolean;
  /** Completions of sends are handled in the order of submission. Default true. */
  readonly writeOrder?: boolean;
  /** The next receive is submitted when one completes, not when its messages were handled. Default true. */
  readonly eagerRead?: boolean;
  /** Go on receiving while `send` asks to wait for the drain event. Default true. */
  readonly receiveWhileBlocked?: boolean;
  /** The peer's end does not end this side. Default false. */
  readonly allowHalfOpen?: boolean;
  /** Receives pending on one connection, at most the loop's `receiveDepth`, which is the default. */
  readonly receiveDepth?: number;
  /** Keep one receive pending, and `receiveDepth` only while they come back full. Default false. */
  readonly adaptiveDepth?: boolean;
  /** Sends pending on one connection, at most the loop's `sendDepth`, which is the default. */
  readonly sendDepth?: number;
  /** Bytes lent to one receive. Default: a whole receive buffer. */
  readonly receiveBytes?: number;
  /** `send` returns false above this many queued bytes. Default 1 MiB. */
  readonly highWaterMarkBytes?: number;
  /** `send` throws NO_BUFFERS above this many queued bytes. Default 16 MiB, at least the mark. */
  readonly maxQueuedBytes?: number;
  /** No byte in either direction for so long ends the connection. Default 0: never. */
  readonly idleTimeoutMs?: number;
  /** No whole message within so long of the opening ends it. Default 0: never. */
  readonly firstMessageTimeoutMs?: number;
  /** A connection that closes is aborted after so long. Default 0: never. */
  readonly closeTimeoutMs?: number;
  /** Listener: most accepted connections open at once. Default 0: as many as there are records. */
  readonly maxConnections?: number;
  /** Size of the first block of a burst of sends: a power of two, 512 to 65,536. Default 4096. */
  readonly chunkBytes?: number;
}

/** What a profile may ask for at most. */
export interface LoopProfileLimits {
  readonly receiveDepth: number;
  readonly sendDepth: number;
  readonly receiveBytes: number;
}

const MIB = 2 ** 20;
const QUEUE_BYTES_MAX = 2 ** 31 - 1;
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/**
 * Writes a profile that lives as long as the memory. Returns its address.
 * @throws OverlappedError INVALID_OPTION; NO_BUFFERS when the memory is used up
 */
export function writeLoopProfile(
  core: Core,
  options: LoopProfileOptions,
  limits: LoopProfileLimits,
): number {
  const integer = (name: IntegerOption, otherwise: number, min: number, max: number) =>
    requireInteger(name, options[name] ?? otherwise, min, max);
  const timeout = (name: IntegerOption) => integer(name, 0, 0, TIMEOUT_MAX_MS);
  const flag = (isSet: boolean, bit: number) => (isSet ? bit : 0);
  const mark = integer('highWaterMarkBytes', MIB, 1, QUEUE_BYTES_MAX);
  const record = layout.Profile;
  const fields: readonly [number, number][] = [
    [
      record.flags,
      flag(options.readOrder ?? true, layout.PROFILE_READ_ORDER) |
        flag(options.writeOrder ?? true, layout.PROFILE_WRITE_ORDER) |
        flag(options.eagerRead ?? true, layout.PROFILE_EAGER_READ) |
        flag(options.allowHalfOpen ?? false, layout.PROFILE_ALLOW_HALF_OPEN) |
        flag(!(options.receiveWhileBlocked ?? true), layout.PROFILE_HOLD_WHEN_BLOCKED) |
        flag(options.adaptiveDepth ?? false, layout.PROFILE_ADAPTIVE_DEPTH),
    ],
    [record.receiveDepth, integer('receiveDepth', limits.receiveDepth, 1, limits.receiveDepth)],
    [record.sendDepth, integer('sendDepth', limits.sendDepth, 1, limits.sendDepth)],
    [record.receiveBytes, integer('receiveBytes', limits.receiveBytes, 1, limits.receiveBytes)],
    [record.highWaterMarkBytes, mark],
    [
      record.maxQueuedBytes,
      integer('maxQueuedBytes', Math.max(16 * MIB, mark), mark, QUEUE_BYTES_MAX),
    ],
    [record.idleTimeoutMs, timeout('idleTimeoutMs')],
    [record.firstMessageTimeoutMs, timeout('firstMessageTimeoutMs')],
    [record.closeTimeoutMs, timeout('closeTimeoutMs')],
    [record.maxConnections, integer('maxConnections', 0, 0, layout.POOL_CAPACITY_MAX)],
    [record.chunkLog2, requirePowerOfTwo('chunkBytes', options.chunkBytes ?? 4096, 512, 65_536)],
  ];
  const address = core.reserve(layout.PROFILE_BYTES + framingRecordBytes(options.framing));
  const framing = address + layout.PROFILE_BYTES;
  writeFramingRecord(core.memory, framing, options.framing);
  core.u32[(address + record.framing) >>> 2] = framing;
  for (const [field, value] of fields) core.u32[(address + field) >>> 2] = value;
  return address;
}

type IntegerOption = {
  [K in keyof LoopProfileOptions]-?: LoopProfileOptions[K] extends number | undefined ? K : never;
}[keyof LoopProfileOptions];
