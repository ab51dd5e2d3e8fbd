/** Profiles: what connections have in common, as records in linear memory, shared and counted. */
import * as layout from '#generated/layout';
import type { Limits, StreamOptions } from '../backends/backend.ts';
import type { Core } from './core/core.ts';
import { framingRecordBytes, writeFramingRecord } from './core/framing-record.ts';
import { DEPTH_MAX } from './core/regions.ts';
import { OverlappedError } from './errors.ts';
import { type Framing, raw } from './framing.ts';
import { booleanOption, integerOption } from './options.ts';
import type { ConnectionOptions } from './types.ts';

const TIMEOUT_MAX_MS = 2 ** 31 - 1;
const MIB = 2 ** 20;
/** A burst begins with a chunk of this size. */
const CHUNK_LOG2 = 12;

/** A profile's values, checked. */
export interface ProfileValues {
  readonly framing: Framing;
  readonly flags: number;
  readonly receiveDepth: number;
  readonly sendDepth: number;
  readonly receiveBytes: number;
  readonly highWaterMarkBytes: number;
  readonly maxQueuedBytes: number;
  readonly idleTimeoutMs: number;
  readonly firstMessageTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly maxConnections: number;
}

type Options = Omit<ConnectionOptions<never>, 'codec' | keyof HandlerNames>;
interface HandlerNames {
  open: unknown;
  message: unknown;
  messages: unknown;
  end: unknown;
  drain: unknown;
  error: unknown;
  close: unknown;
}

/**
 * A connection's options, checked and made whole by the limits of its backend and the defaults of its kind.
 * @throws OverlappedError INVALID_OPTION
 */
export function profileValues(
  options: Options,
  limits: Limits,
  receiveBytes: number,
  { receiveWhileBlocked = true, maxConnections = 0 } = {},
): ProfileValues {
  const flag = (name: 'readOrder' | 'writeOrder' | 'eagerRead', bit: number) =>
    booleanOption(name, options[name], name !== 'eagerRead') ? bit : 0;
  const highWaterMarkBytes = integerOption(
    'highWaterMarkBytes',
    options.highWaterMarkBytes,
    MIB,
    1,
    2 ** 30,
  );
  const milliseconds = (
    name: 'idleTimeoutMs' | 'firstMessageTimeoutMs' | 'closeTimeoutMs',
    otherwise: number,
  ) => integerOption(name, options[name], otherwise, 0, TIMEOUT_MAX_MS);
  return {
    framing: options.framing ?? raw(),
    flags:
      flag('readOrder', layout.PROFILE_READ_ORDER) |
      flag('writeOrder', layout.PROFILE_WRITE_ORDER) |
      flag('eagerRead', layout.PROFILE_EAGER_READ) |
      (booleanOption('allowHalfOpen', options.allowHalfOpen, false)
        ? layout.PROFILE_ALLOW_HALF_OPEN
        : 0) |
      (booleanOption('receiveWhileBlocked', options.receiveWhileBlocked, receiveWhileBlocked)
        ? 0
        : layout.PROFILE_HOLD_WHEN_BLOCKED) |
      (options.receiveDepth === undefined ? layout.PROFILE_ADAPTIVE_DEPTH : 0),
    receiveDepth: Math.min(
      integerOption(
        'receiveDepth',
        options.receiveDepth,
        limits.defaultReceiveDepth ?? 1,
        1,
        DEPTH_MAX,
      ),
      limits.receiveDepth,
    ),
    sendDepth: Math.min(
      integerOption('sendDepth', options.sendDepth, DEPTH_MAX, 1, DEPTH_MAX),
      limits.sendDepth,
    ),
    receiveBytes: Math.min(receiveBytes, limits.maxTransferBytes),
    highWaterMarkBytes,
    maxQueuedBytes: integerOption(
      'maxQueuedBytes',
      options.maxQueuedBytes,
      Math.max(16 * MIB, highWaterMarkBytes),
      highWaterMarkBytes,
      2 ** 31 - 1,
    ),
    idleTimeoutMs: milliseconds('idleTimeoutMs', 0),
    firstMessageTimeoutMs: milliseconds('firstMessageTimeoutMs', 0),
    closeTimeoutMs: milliseconds('closeTimeoutMs', 5000),
    maxConnections,
  };
}

/** @throws OverlappedError INVALID_OPTION */
export function streamOptions(options: Options): StreamOptions {
  return {
    noDelay: booleanOption('noDelay', options.noDelay, true),
    keepAliveMs: integerOption('keepAliveMs', options.keepAliveMs, 0, 0, TIMEOUT_MAX_MS),
  };
}

/** A record that several connections may use; freed when the last one has gone. */
export interface Profile {
  readonly address: number;
  readonly values: ProfileValues;
  readonly key: string;
  references: number;
}

export class ProfileTable {
  readonly #core: Core;
  readonly #arena: number;
  readonly #profiles = new Map<string, Profile>();

  constructor(core: Core, arena: number) {
    this.#core = core;
    this.#arena = arena;
  }

  /** @throws OverlappedError NO_BUFFERS, INVALID_OPTION */
  acquire(values: ProfileValues): Profile {
    const key = JSON.stringify(values, (_, value) =>
      value instanceof Uint8Array ? Array.from(value) : value,
    );
    const known = this.#profiles.get(key);
    if (known !== undefined) {
      known.references++;
      return known;
    }
    const { exports, u8, u32, memory } = this.#core;
    const bytes = layout.PROFILE_BYTES + framingRecordBytes(values.framing);
    const address = exports.arenaAlloc(this.#arena, bytes) >>> 0;
    if (address === 0) throw new OverlappedError('NO_BUFFERS', 'the arena is used up');
    u8.fill(0, address, address + bytes);
    const framing = address + layout.PROFILE_BYTES;
    writeFramingRecord(memory, framing, values.framing);
    const record = layout.Profile;
    const fields: [number, number][] = [
      [record.framing, framing],
      [record.flags, values.flags],
      [record.receiveDepth, values.receiveDepth],
      [record.sendDepth, values.sendDepth],
      [record.receiveBytes, values.receiveBytes],
      [record.highWaterMarkBytes, values.highWaterMarkBytes],
      [record.maxQueuedBytes, values.maxQueuedBytes],
      [record.idleTimeoutMs, values.idleTimeoutMs],
      [record.firstMessageTimeoutMs, values.firstMessageTimeoutMs],
      [record.closeTimeoutMs, values.closeTimeoutMs],
      [record.maxConnections, values.maxConnections],
      [record.chunkLog2, CHUNK_LOG2],
    ];
    for (const [field, value] of fields) u32[(address + field) >>> 2] = value;
    const profile: Profile = { address, values, key, references: 1 };
    this.#profiles.set(key, profile);
    return profile;
  }

  /** One more user of a profile that is in use. */
  share(profile: Profile): Profile {
    profile.references++;
    return profile;
  }

  release(profile: Profile): void {
    if (--profile.references > 0) return;
    this.#profiles.delete(profile.key);
    this.#core.exports.arenaFree(this.#arena, profile.address);
  }

  /** Bytes of the arena that profiles hold: what an idle port has in use. */
  get size(): number {
    return this.#profiles.size;
  }
}
