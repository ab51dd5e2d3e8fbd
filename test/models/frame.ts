/**
 * What framing means, written for reading and not for speed: the whole stream
 * is there at once, lengths are BigInts, delimiters are tried at every place. Each
 * frame says how many bytes of the stream must be there before it is certain.
 */
import type {
  DelimiterFraming,
  Framing,
  LengthFieldFraming,
  LineFraming,
  VarintFraming,
} from '../../src/framing.ts';

export type FrameError = 'FRAME_TOO_LONG' | 'FRAME_MALFORMED' | 'FRAME_TRUNCATED';

/** One frame of a stream. */
export interface ModelFrame {
  readonly verdict: 'message' | 'oversize' | FrameError;
  /** Its place in the stream; the end may lie far behind the stream's. */
  readonly start: number;
  readonly end: number;
  /** Bytes of the stream after which the verdict must come. */
  readonly due: number;
  readonly message?: Uint8Array;
  /** Of an oversized frame, as it is reported. */
  readonly length?: number;
}

export type ModelEvent =
  | {
      readonly kind: 'message';
      readonly bytes: Uint8Array;
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: 'oversize'; readonly length: number };

export interface ModelResult {
  readonly events: readonly ModelEvent[];
  readonly error: FrameError | undefined;
  /** Where the frame begins that is not complete; as many bytes as there are if there is none. */
  readonly rest: number;
  /** That frame is too long and being skipped. */
  readonly skipping: boolean;
}

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

function bigUint(bytes: Uint8Array, endian: 'big' | 'little'): bigint {
  const ordered = endian === 'big' ? [...bytes] : [...bytes].reverse();
  return ordered.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

interface Limits {
  readonly maxFrameBytes: number;
  readonly failFast: boolean;
}

/** A frame whose length is certain once `known` bytes of the stream are there. */
function measured(
  stream: Uint8Array,
  start: number,
  length: number,
  strip: number,
  known: number,
  { maxFrameBytes, failFast }: Limits,
): ModelFrame {
  const end = start + length;
  if (length > maxFrameBytes) {
    const due = failFast ? known : end;
    return { verdict: 'oversize', start, end, due, length: Math.min(length, 0xffffffff) };
  }
  return { verdict: 'message', start, end, due: end, message: stream.slice(start + strip, end) };
}

function lengthFieldFrame(
  framing: LengthFieldFraming,
  stream: Uint8Array,
  start: number,
): ModelFrame | undefined {
  const header = framing.offset + framing.size;
  const known = start + header;
  if (known > stream.length) return undefined;
  const bad = (verdict: FrameError): ModelFrame => ({ verdict, start, end: Infinity, due: known });
  const value = bigUint(stream.slice(start + framing.offset, known), framing.endian);
  if (value > SAFE) return bad('FRAME_TOO_LONG');
  const length = value + BigInt(framing.adjustment) + BigInt(framing.includesHeader ? 0 : header);
  if (length < BigInt(Math.max(header, framing.strip))) return bad('FRAME_MALFORMED');
  if (length > SAFE) return bad('FRAME_TOO_LONG');
  return measured(stream, start, Number(length), framing.strip, known, framing);
}

function varintFrame(
  framing: VarintFraming,
  stream: Uint8Array,
  start: number,
): ModelFrame | undefined {
  let value = 0;
  for (let group = 0; group < framing.maxBytes; group++) {
    const at = start + framing.offset + group;
    const byte = stream[at];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 128 ** group;
    if (byte >= 128) continue;
    const header = framing.offset + group + 1;
    const strip = framing.keepHeader ? 0 : header;
    return measured(stream, start, header + value, strip, at + 1, framing);
  }
  const due = start + framing.offset + framing.maxBytes;
  return { verdict: 'FRAME_MALFORMED', start, end: Infinity, due };
}

const LINE_ENDS = [Uint8Array.of(10), Uint8Array.of(13, 10)];

function delimitedFrame(
  framing: DelimiterFraming | LineFraming,
  stream: Uint8Array,
  start: number,
): ModelFrame | undefined {
  const max = framing.maxFrameBytes;
  const delimiters = framing.kind === 'line' ? LINE_ENDS : framing.delimiters;
  for (let end = start + 1; end <= stream.length; end++) {
    const ending = delimiters.filter((delimiter) => {
      const from = end - delimiter.length;
      return from >= start && delimiter.every((byte, i) => stream[from + i] === byte);
    });
    if (ending.length === 0) continue;
    const length = end - start;
    if (length > max) {
      const [due, reported] = framing.failFast ? [start + max + 1, max + 1] : [end, length];
      return { verdict: 'oversize', start, end, due, length: reported };
    }
    const strip = framing.stripDelimiter ? Math.max(...ending.map((one) => one.length)) : 0;
    const message = stream.slice(start, end - strip);
    return { verdict: 'message', start, end, due: end, message };
  }
  if (stream.length - start <= max) return undefined;
  const due = framing.failFast ? start + max + 1 : Infinity;
  return { verdict: 'oversize', start, end: Infinity, due, length: max + 1 };
}

function frameAt(framing: Framing, stream: Uint8Array, start: number): ModelFrame | undefined {
  switch (framing.kind) {
    case 'raw':
      return measured(stream, start, stream.length, 0, 0, {
        maxFrameBytes: Infinity,
        failFast: true,
      });
    case 'fixed':
      return measured(stream, start, framing.size, 0, 0, {
        maxFrameBytes: Infinity,
        failFast: true,
      });
    case 'lengthField':
      return lengthFieldFrame(framing, stream, start);
    case 'varint':
      return varintFrame(framing, stream, start);
    default:
      return delimitedFrame(framing, stream, start);
  }
}

/** The frames of a stream, up to and including the first that is wrong or not complete. */
export function modelFrames(framing: Framing, stream: Uint8Array): ModelFrame[] {
  const frames: ModelFrame[] = [];
  for (let at = 0; at < stream.length; ) {
    const frame = frameAt(framing, stream, at);
    if (frame === undefined) break;
    frames.push(frame);
    at = frame.end;
  }
  return frames;
}

const discards = (framing: Framing) => 'onOversize' in framing && framing.onOversize === 'discard';

/** What must have come out once `fed` bytes have gone in, with more perhaps to follow. */
export function modelAfter(
  framing: Framing,
  frames: readonly ModelFrame[],
  fed: number,
): ModelResult {
  const events: ModelEvent[] = [];
  let rest = 0;
  for (const { verdict, start, end, due, message, length } of frames) {
    const certain = due <= fed;
    if (verdict === 'message' && certain) {
      events.push({ kind: 'message', bytes: message as Uint8Array, start, end });
    } else if (verdict === 'oversize') {
      if (certain && !discards(framing))
        return { events, error: 'FRAME_TOO_LONG', rest, skipping: false };
      if (certain) events.push({ kind: 'oversize', length: length as number });
      // Without fail-fast nothing shows that it is being skipped already.
      const max = 'maxFrameBytes' in framing ? framing.maxFrameBytes : Infinity;
      if (end > fed)
        return { events, error: undefined, rest, skipping: certain || fed - start > max };
    } else if (certain) {
      return { events, error: verdict as FrameError, rest, skipping: false };
    }
    if (end > fed) break;
    rest = end;
  }
  return { events, error: undefined, rest, skipping: false };
}

/** What must have come out of the whole stream. */
export function modelDecode(framing: Framing, stream: Uint8Array): ModelResult {
  return modelAfter(framing, modelFrames(framing, stream), stream.length);
}

/** What must come after it when the stream then ends. */
export function modelEnd(
  framing: Framing,
  stream: Uint8Array,
): Pick<ModelResult, 'events' | 'error'> {
  const { error, rest, skipping } = modelDecode(framing, stream);
  const none = { events: [], error: undefined };
  if (error !== undefined || rest === stream.length) return none;
  const bytes = stream.slice(rest);
  const delivers =
    (framing.kind === 'line' || framing.kind === 'delimiter') && framing.unterminated === 'deliver';
  if (!delivers) return { ...none, error: 'FRAME_TRUNCATED' };
  if (!skipping) {
    return { ...none, events: [{ kind: 'message', bytes, start: rest, end: stream.length }] };
  }
  if (framing.onOversize === 'error') return { ...none, error: 'FRAME_TOO_LONG' };
  return framing.failFast
    ? none
    : { ...none, events: [{ kind: 'oversize', length: bytes.length }] };
}
