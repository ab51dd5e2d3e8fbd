/**
 * Framing by description: how the bytes of a stream become messages, and
 * messages bytes (R28). A description is a frozen plain object; a listener or
 * a decoder takes it as `framing`.
 *
 * Words: a *frame* is what is on the wire, header and delimiter included; a
 * *message* is what is left of it for the handler. `maxFrameBytes` always
 * counts the frame.
 */
import {
  checkOptions,
  integerOption,
  invalidOption,
  type OptionsOf,
  optionOf,
} from './framing-options.ts';

/** Largest frame unless told otherwise: 64 KiB. */
export const DEFAULT_MAX_FRAME_BYTES = 65_536;
/** The highest `maxFrameBytes` there can be: 1 GiB. */
export const MAX_FRAME_BYTES = 2 ** 30;
/** A framing has at most so many delimiters. */
export const MAX_DELIMITERS = 16;
/** A delimiter has at most so many bytes. */
export const MAX_DELIMITER_BYTES = 64;

/** What happens to frames above the limit. */
interface Limits {
  /** Largest frame on the wire, header, payload and delimiter included. A frame of exactly that size passes. Default 65,536. */
  readonly maxFrameBytes: number;
  /** True (default): FRAME_TOO_LONG, or its report, comes as soon as it is certain; false: once the whole frame has passed. */
  readonly failFast: boolean;
  /** `'error'` (default) ends the connection; `'discard'` reports the frame, skips it whatever its length, and goes on. */
  readonly onOversize: 'error' | 'discard';
}

/** Whatever arrives is a message: no frames. */
export interface RawFraming {
  readonly kind: 'raw';
}

/** Every frame has `size` bytes. */
export interface FixedFraming {
  readonly kind: 'fixed';
  readonly size: number;
}

/** An unsigned number in the header says how long the frame is. */
export interface LengthFieldFraming extends Limits {
  readonly kind: 'lengthField';
  /** Bytes of the field. */
  readonly size: 1 | 2 | 3 | 4 | 8;
  /** Default `'big'`, the network's. */
  readonly endian: 'big' | 'little';
  /** Bytes before the field. Default 0. */
  readonly offset: number;
  /** Added to the field's value. Default 0. */
  readonly adjustment: number;
  /** The value counts the bytes before the field and the field too. Default false. */
  readonly includesHeader: boolean;
  /** Bytes that leave the front of a frame before delivery. Default `offset + size`. */
  readonly strip: number;
}

/** The payload's length in base 128 stands before it, least significant group first: protobuf, MQTT. */
export interface VarintFraming extends Limits {
  readonly kind: 'varint';
  /** Bytes before the length. Default 0; MQTT has 1. */
  readonly offset: number;
  /** Most bytes of the length, 1 to 5. Default 5 (protobuf); MQTT has 4. */
  readonly maxBytes: number;
  /** The message is the whole frame, in both directions. Default false. */
  readonly keepHeader: boolean;
}

interface EndedByDelimiter extends Limits {
  /**
   * True (default): the message comes without its delimiter and is sent with
   * one. False: it has its delimiter in both directions.
   */
  readonly stripDelimiter: boolean;
  /** What the rest is when the stream ends inside a frame: FRAME_TRUNCATED (default), or one more message. */
  readonly unterminated: 'error' | 'deliver';
}

/** The delimiter that ends first ends the frame; of several that end there, the longest counts. The first is what is sent. */
export interface DelimiterFraming extends EndedByDelimiter {
  readonly kind: 'delimiter';
  /** 1 to 16 byte strings of 1 to 64 bytes. Not to be changed. */
  readonly delimiters: readonly Uint8Array[];
}

/** `\n`, with or without `\r` before it, ends the frame. `\n` is what is sent. */
export interface LineFraming extends EndedByDelimiter {
  readonly kind: 'line';
}

export type Framing =
  | RawFraming
  | FixedFraming
  | LengthFieldFraming
  | VarintFraming
  | DelimiterFraming
  | LineFraming;

const LIMIT_OPTIONS = ['maxFrameBytes', 'failFast', 'onOversize'] as const;

function limits(options: OptionsOf<Limits>): Limits {
  return {
    maxFrameBytes: integerOption(
      options,
      'maxFrameBytes',
      1,
      MAX_FRAME_BYTES,
      DEFAULT_MAX_FRAME_BYTES,
    ),
    failFast: optionOf(options, 'failFast', [true, false], true),
    onOversize: optionOf(options, 'onOversize', ['error', 'discard'], 'error'),
  };
}

const RAW: RawFraming = Object.freeze({ kind: 'raw' });

/** No framing: each piece of the stream that arrives is a message, whatever its size. */
export function raw(): RawFraming {
  return RAW;
}

/**
 * Frames of exactly `size` bytes, 1 to 1 GiB. A message of another length
 * cannot be sent.
 * @throws OverlappedError INVALID_OPTION
 */
export function fixed(size: number): FixedFraming {
  return Object.freeze({
    kind: 'fixed',
    size: integerOption({ size }, 'size', 1, MAX_FRAME_BYTES),
  });
}

/**
 * Frames whose header says how long they are: `offset + size + value +
 * adjustment` bytes, or `value + adjustment` with `includesHeader`. A superset
 * of Netty's LengthFieldBasedFrameDecoder and tokio-util's
 * LengthDelimitedCodec (R28).
 *
 * Where `strip` leaves part of the header in the message, a message to be sent
 * begins with that part too, and its length field is overwritten with the
 * right value.
 * @throws OverlappedError INVALID_OPTION
 */
export function lengthField(
  options: OptionsOf<Omit<LengthFieldFraming, 'kind'>> & { size: LengthFieldFraming['size'] },
): LengthFieldFraming {
  checkOptions('lengthField', options, [
    'size',
    'endian',
    'offset',
    'adjustment',
    'includesHeader',
    'strip',
    ...LIMIT_OPTIONS,
  ]);
  const limit = limits(options);
  const most = limit.maxFrameBytes;
  const size = optionOf(options, 'size', [1, 2, 3, 4, 8] as const);
  const offset = integerOption(options, 'offset', 0, MAX_FRAME_BYTES, 0);
  const header = offset + size;
  const framing: LengthFieldFraming = {
    kind: 'lengthField',
    size,
    endian: optionOf(options, 'endian', ['big', 'little'], 'big'),
    offset,
    adjustment: integerOption(options, 'adjustment', -MAX_FRAME_BYTES, MAX_FRAME_BYTES, 0),
    includesHeader: optionOf(options, 'includesHeader', [true, false], false),
    strip: integerOption(options, 'strip', 0, MAX_FRAME_BYTES, header),
    ...limit,
  };
  const uncounted = framing.adjustment + (framing.includesHeader ? 0 : header);
  const shortest = Math.max(header, framing.strip, uncounted);
  if (shortest > most) {
    throw invalidOption(
      'maxFrameBytes',
      most,
      `at least ${shortest}, the shortest frame there can be`,
    );
  }
  const highest = 256 ** size - 1;
  if (highest + uncounted < Math.max(header, framing.strip)) {
    const least = Math.max(header, framing.strip) - (uncounted - framing.adjustment) - highest;
    throw invalidOption(
      'adjustment',
      framing.adjustment,
      `at least ${least}: no value gives a frame`,
    );
  }
  return Object.freeze(framing);
}

/**
 * Frames whose payload's length is a base-128 number. A longer than minimal
 * length is accepted, one of more than `maxBytes` bytes is FRAME_MALFORMED.
 * MQTT: `varint({ offset: 1, maxBytes: 4, keepHeader: true })`.
 * @throws OverlappedError INVALID_OPTION
 */
export function varint(options: OptionsOf<Omit<VarintFraming, 'kind'>> = {}): VarintFraming {
  checkOptions('varint', options, ['offset', 'maxBytes', 'keepHeader', ...LIMIT_OPTIONS]);
  const limit = limits(options);
  const offset = integerOption(options, 'offset', 0, MAX_FRAME_BYTES, 0);
  const maxBytes = integerOption(options, 'maxBytes', 1, 5, 5);
  if (offset + maxBytes > limit.maxFrameBytes) {
    throw invalidOption(
      'maxFrameBytes',
      limit.maxFrameBytes,
      `at least ${offset + maxBytes}, the longest header`,
    );
  }
  return Object.freeze({
    kind: 'varint',
    offset,
    maxBytes,
    keepHeader: optionOf(options, 'keepHeader', [true, false], false),
    ...limit,
  });
}

const DELIMITER_OPTIONS = ['stripDelimiter', 'unterminated', ...LIMIT_OPTIONS] as const;

function endedByDelimiter(options: OptionsOf<EndedByDelimiter>): EndedByDelimiter {
  return {
    stripDelimiter: optionOf(options, 'stripDelimiter', [true, false], true),
    unterminated: optionOf(options, 'unterminated', ['error', 'deliver'], 'error'),
    ...limits(options),
  };
}

export type DelimiterOptions = OptionsOf<Omit<DelimiterFraming, 'kind' | 'delimiters'>>;
type Delimiters = string | Uint8Array | readonly (string | Uint8Array)[];

/**
 * Frames that end in a delimiter: one or several byte strings (text is UTF-8).
 * The one that ends first ends the frame; at the same place the longest counts.
 * A message that contains a delimiter cannot be sent: it would arrive as two.
 * @throws OverlappedError INVALID_OPTION
 */
export function delimiter(delimiters: Delimiters, options?: DelimiterOptions): DelimiterFraming;
export function delimiter(options: DelimiterOptions & { delimiters: Delimiters }): DelimiterFraming;
export function delimiter(
  first: Delimiters | (DelimiterOptions & { delimiters: Delimiters }),
  second: DelimiterOptions = {},
): DelimiterFraming {
  const isOptions =
    typeof first === 'object' &&
    first !== null &&
    !(first instanceof Uint8Array) &&
    !Array.isArray(first);
  const options: DelimiterOptions & { delimiters: Delimiters } = isOptions
    ? (first as DelimiterOptions & { delimiters: Delimiters })
    : { ...second, delimiters: first as Delimiters };
  checkOptions('delimiter', options, ['delimiters', ...DELIMITER_OPTIONS]);
  const given = options.delimiters;
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (list.length < 1 || list.length > MAX_DELIMITERS) {
    throw invalidOption('delimiters', list.length, `1 to ${MAX_DELIMITERS} of them`);
  }
  const delimiters = list.map(delimiterBytes);
  checkReachable(delimiters);
  const common = endedByDelimiter(options);
  const longest = Math.max(...delimiters.map((bytes) => bytes.length));
  if (longest > common.maxFrameBytes) {
    throw invalidOption(
      'maxFrameBytes',
      common.maxFrameBytes,
      `at least ${longest}, the longest delimiter`,
    );
  }
  return Object.freeze({ kind: 'delimiter', delimiters: Object.freeze(delimiters), ...common });
}

function delimiterBytes(value: unknown): Uint8Array {
  const bytes =
    typeof value === 'string'
      ? new TextEncoder().encode(value)
      : value instanceof Uint8Array
        ? new Uint8Array(value)
        : undefined;
  if (bytes === undefined) throw invalidOption('delimiters', value, 'text or Uint8Array');
  if (bytes.length < 1 || bytes.length > MAX_DELIMITER_BYTES) {
    throw invalidOption(
      'delimiters',
      `one of ${bytes.length} bytes`,
      `1 to ${MAX_DELIMITER_BYTES} bytes each`,
    );
  }
  return bytes;
}

/** A delimiter inside which another one ends earlier can never end a frame: surely a mistake. */
function checkReachable(delimiters: readonly Uint8Array[]): void {
  const hex = (bytes: Uint8Array) =>
    Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  for (const whole of delimiters) {
    for (const part of delimiters) {
      for (let at = 0; at + part.length < whole.length; at++) {
        if (part.every((byte, i) => whole[at + i] === byte)) {
          const why = `no delimiter inside of which another ends: ${hex(part)} ends first, always`;
          throw invalidOption('delimiters', hex(whole), why);
        }
      }
    }
  }
}

/**
 * Lines: frames that end in `\n`, or in `\r\n`. A message that contains `\n`,
 * or ends in `\r`, cannot be sent: it would arrive as something else.
 * @throws OverlappedError INVALID_OPTION
 */
export function line(options: OptionsOf<Omit<LineFraming, 'kind'>> = {}): LineFraming {
  checkOptions('line', options, DELIMITER_OPTIONS);
  return Object.freeze({ kind: 'line', ...endedByDelimiter(options) });
}

/**
 * The same description, checked and complete: for one that did not come from
 * the functions above, but, say, from a configuration file.
 * @throws OverlappedError INVALID_OPTION
 */
export function checkFraming(framing: Framing): Framing {
  const { kind, ...options } = { ...framing } as Record<string, unknown>;
  switch (kind) {
    case 'raw':
      return RAW;
    case 'fixed':
      return fixed(options.size as number);
    case 'lengthField':
      return lengthField(options as Omit<LengthFieldFraming, 'kind'>);
    case 'varint':
      return varint(options);
    case 'delimiter':
      return delimiter(options as Omit<DelimiterFraming, 'kind'>);
    case 'line':
      return line(options);
    default: {
      const allowed =
        "a description of kind 'raw', 'fixed', 'lengthField', 'varint', 'delimiter' or 'line'";
      throw invalidOption('framing', kind === undefined ? framing : kind, allowed);
    }
  }
}

const TEXT_FORM =
  /^(?:u(8|(?:16|24|32|64)(?:le|be))|(varint|line|raw))((?:,(?:inclusive|max=\d+))*)$/;
const TEXT_ALLOWED =
  'raw, line, varint, u8, or u16, u24, u32, u64 with le or be, then ,inclusive where the length counts its header, then ,max=BYTES';

/**
 * The description that a text names, as on the command line: `u16le,inclusive`,
 * `varint`, `line,max=4096`, `raw`.
 * @throws OverlappedError INVALID_OPTION
 */
export function parseFraming(text: string): Framing {
  const [, field, name, tail] = TEXT_FORM.exec(text) ?? [];
  if (tail === undefined) throw invalidOption('framing', text, TEXT_ALLOWED);
  const words = tail.split(',').filter((word) => word !== '');
  const maximum = words.filter((word) => word.startsWith('max='));
  const inclusive = words.length - maximum.length;
  if (maximum.length > 1 || inclusive > 1) throw invalidOption('framing', text, 'each word once');
  if (inclusive > 0 && field === undefined) {
    throw invalidOption('framing', text, `no ,inclusive with ${name}`);
  }
  const limit =
    maximum[0] === undefined ? {} : { maxFrameBytes: Number(maximum[0].slice('max='.length)) };
  if (name === 'raw') {
    if (words.length > 0)
      throw invalidOption('framing', text, 'raw alone: it has no frames to limit');
    return raw();
  }
  if (name === 'line') return line(limit);
  if (field === undefined) return varint(limit);
  return lengthField({
    size: (Number.parseInt(field, 10) / 8) as LengthFieldFraming['size'],
    endian: field.endsWith('le') ? 'little' : 'big',
    includesHeader: inclusive > 0,
    ...limit,
  });
}
