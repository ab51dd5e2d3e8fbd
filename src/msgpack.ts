/**
 * MessagePack as the payload codec (R29), over msgpackr.
 *
 * What arrives from the network is checked before msgpackr sees it: one walk
 * over the bytes, without recursion, makes sure that every announced length is
 * there, that nesting is bounded, that exactly one value fills the message, and
 * that only extensions are in it that neither evaluate code (msgpackr's records
 * compile a reader with `new Function`) nor move the read position (its bundled
 * strings).
 */

import type { Options as PackrOptions } from 'msgpackr';
import { Packr } from 'msgpackr';
import type { Codec } from './types.ts';

/** The options of msgpackr that keep the wire plain MessagePack, and the limits of this codec. */
export interface MsgpackOptions
  extends Pick<
    PackrOptions,
    | 'coercibleKeyAsNumber'
    | 'encodeUndefinedAsNil'
    | 'int64AsType'
    | 'largeBigIntToFloat'
    | 'largeBigIntToString'
    | 'mapAsEmptyObject'
    | 'mapsAsObjects'
    | 'onInvalidDate'
    | 'setAsEmptyObject'
    | 'useBigIntExtension'
    | 'useFloat32'
    | 'useTimestamp32'
    | 'useToJSON'
    | 'variableMapSize'
    | 'writeFunction'
  > {
  /** Sets, typed arrays and array buffers as msgpackr's extensions. Default false: plain MessagePack. */
  readonly moreTypes?: boolean;
  /** Deepest nesting of arrays, maps and sets accepted. Default 64. */
  readonly maxDepth?: number;
  /** Types of extensions registered with msgpackr's `addExtension` (with `unpack`) that a peer may send. */
  readonly extensions?: readonly number[];
}

const DEFAULT_MAX_DEPTH = 64;
/** Above this size the copy of a message is thrown away after use instead of kept for the next. */
const SCRATCH_BYTES = 65_536;

/** Extension types as msgpackr assigns them (its README, "Extensions"). */
const EXTENSION_UNDEFINED = 0x00;
const EXTENSION_BIGINT = 0x42;
const EXTENSION_SET = 0x73;
const EXTENSION_TYPED_ARRAY = 0x74;
const EXTENSION_TIMESTAMP = 0xff;
/** BigInts take time that grows faster than their length: 512 bytes are 4,096 bits. */
const BIGINT_MAX_BYTES = 512;

/**
 * A codec that turns objects into MessagePack and back.
 *
 * Decoded values own all their bytes: nothing in them refers to the borrowed
 * message. A key `__proto__` arrives as `__proto_`, so no prototype changes.
 * Decoded objects can take about 60 times the room of the message (a map of a
 * byte each), which the frame limit bounds.
 *
 * @throws Error from `decode` on malformed, truncated or trailing bytes, on
 * nesting beyond `maxDepth`, and on extensions that are not allowed; the
 * connection ends with MESSAGE_MALFORMED. From `encode` on values that
 * MessagePack cannot hold, such as a circular object.
 */
export function msgpack<Message = unknown>(options: MsgpackOptions = {}): Codec<Message> {
  const { maxDepth = DEFAULT_MAX_DEPTH, extensions = [], moreTypes = false, ...passed } = options;
  const allowed = allowedExtensions(moreTypes, passed.useBigIntExtension === true, extensions);
  const packr = new Packr({
    ...passed,
    moreTypes,
    useRecords: false,
    structuredClone: false,
    bundleStrings: false,
    copyBuffers: true,
  });
  const remaining = new Float64Array(Math.max(1, maxDepth));
  const scratch = new Uint8Array(SCRATCH_BYTES);
  let decoding = false;

  return {
    name: 'msgpack',
    encode: (message) => packr.encode(message),
    decode(bytes) {
      // The walk and msgpackr must see the same bytes, so both see a copy that
      // no other thread can change. An extension may decode within a decode.
      const reuse = !decoding && bytes.length <= SCRATCH_BYTES;
      const copy = reuse ? scratch : new Uint8Array(bytes.length);
      copy.set(bytes);
      checkMessage(copy, bytes.length, remaining, maxDepth, allowed);
      const outermost = !decoding;
      decoding = true;
      try {
        return packr.decode(copy, { end: bytes.length }) as Message;
      } finally {
        if (outermost) decoding = false;
      }
    },
  };
}

function allowedExtensions(
  moreTypes: boolean,
  bigints: boolean,
  own: readonly number[],
): ReadonlySet<number> {
  const allowed = new Set(own.map((type) => type & 0xff));
  allowed.add(EXTENSION_UNDEFINED).add(EXTENSION_TIMESTAMP);
  if (moreTypes) allowed.add(EXTENSION_SET).add(EXTENSION_TYPED_ARRAY);
  if (moreTypes || bigints) allowed.add(EXTENSION_BIGINT);
  return allowed;
}

function malformed(what: string, at: number): Error {
  return new Error(`MessagePack: ${what} at byte ${at}`);
}

/**
 * Throws unless `bytes[0, end)` is one whole value. `remaining` has room for
 * `maxDepth` counts of values still due on each level.
 */
function checkMessage(
  bytes: Uint8Array,
  end: number,
  remaining: Float64Array,
  maxDepth: number,
  allowed: ReadonlySet<number>,
): void {
  let position = 0;
  let depth = 0;
  let due = 1;

  /** Big-endian length of `size` bytes at the position, which it passes. */
  const length = (size: number): number => {
    if (size > end - position) throw malformed('unexpected end', end);
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (bytes[position++] as number);
    return value;
  };
  const skip = (size: number): void => {
    if (size > end - position) throw malformed('unexpected end', end);
    position += size;
  };
  const enter = (values: number): void => {
    if (depth === maxDepth) throw malformed(`nesting deeper than ${maxDepth}`, position);
    remaining[depth++] = due;
    due = values;
  };
  const extension = (size: number): void => {
    const type = length(1);
    if (!allowed.has(type)) throw malformed(`extension ${type} is not allowed`, position - 1);
    if (type === EXTENSION_BIGINT && (size === 0 || size > BIGINT_MAX_BYTES)) {
      throw malformed('BigInt too long', position);
    }
    skip(size);
    // msgpackr writes the set's array behind the extension.
    if (type === EXTENSION_SET) enter(1);
  };

  for (;;) {
    while (due === 0) {
      if (depth === 0) {
        if (position !== end) throw malformed('bytes after the value', position);
        return;
      }
      due = remaining[--depth] as number;
    }
    due--;
    const token = length(1);
    if (token < 0x80 || token >= 0xe0) continue;
    if (token < 0x90) enter(2 * (token & 0x0f));
    else if (token < 0xa0) enter(token & 0x0f);
    else if (token < 0xc0) skip(token & 0x1f);
    else if (token === 0xc0 || token === 0xc2 || token === 0xc3) continue;
    else if (token >= 0xc4 && token <= 0xc6) skip(length(1 << (token - 0xc4)));
    else if (token >= 0xc7 && token <= 0xc9) extension(length(1 << (token - 0xc7)));
    else if (token === 0xca) skip(4);
    else if (token === 0xcb) skip(8);
    else if (token >= 0xcc && token <= 0xcf) skip(1 << (token - 0xcc));
    else if (token >= 0xd0 && token <= 0xd3) skip(1 << (token - 0xd0));
    else if (token >= 0xd4 && token <= 0xd8) extension(1 << (token - 0xd4));
    else if (token >= 0xd9 && token <= 0xdb) skip(length(1 << (token - 0xd9)));
    else if (token === 0xdc || token === 0xdd) enter(length(token === 0xdc ? 2 : 4));
    else if (token === 0xde || token === 0xdf) enter(2 * length(token === 0xde ? 2 : 4));
    else throw malformed('token 0xc1 is never used', position - 1);
  }
}
