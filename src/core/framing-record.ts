/** Writes a description of framing into linear memory, where decoders and encoders read it. */
import * as layout from '#generated/layout';
import { checkFraming, type Framing, type LengthFieldFraming } from '../framing.ts';

/** Bytes that `writeFramingRecord` needs for this framing: the record, and its delimiters behind it. */
export function framingRecordBytes(framing: Framing): number {
  if (framing.kind !== 'delimiter') return layout.FRAMING_BYTES;
  const bytes = framing.delimiters.reduce((sum, { length }) => sum + length, 0);
  const records = framing.delimiters.length * layout.FRAMING_DELIMITER_BYTES;
  return layout.FRAMING_BYTES + records + ((bytes + 7) & ~7);
}

/**
 * Writes the record of `framing` at `at` (a multiple of 8 with
 * `framingRecordBytes` bytes of room). It is never written again, and any
 * number of decoders may share it. Checks the description first, because the
 * core relies on what it says.
 * @throws OverlappedError INVALID_OPTION
 */
export function writeFramingRecord(memory: WebAssembly.Memory, at: number, framing: Framing): void {
  const checked = checkFraming(framing);
  const view = new DataView(memory.buffer, at, framingRecordBytes(checked));
  const put = (field: number, value: number) => view.setUint32(field, value, true);
  const record = layout.Framing;
  const { kind, flags, ...fields } = fieldsOf(checked);
  put(record.kind, kind);
  put(record.flags, flags);
  put(record.offset, fields.offset ?? 0);
  put(record.size, fields.size ?? 0);
  put(record.strip, fields.strip ?? 0);
  put(record.maxFrameBytes, fields.maxFrameBytes);
  put(record.maxBytes, fields.maxBytes ?? 0);
  put(record.delimiters, 0);
  put(record.delimiterCount, 0);
  put(record.plainMax, 0);
  if (checked.kind === 'lengthField') writeLengthField(view, checked);
  if (checked.kind === 'delimiter') writeDelimiters(view, at, checked.delimiters);
}

/** A single byte has no order. It counts as big endian, so that no byte behind it is read. */
function isBigEndian({ size, endian }: LengthFieldFraming): boolean {
  return size === 1 || endian === 'big';
}

/** What depends on the description only, so that no call of the decoder computes it. */
function writeLengthField(view: DataView, framing: LengthFieldFraming): void {
  const { offset, size, adjustment, strip, includesHeader } = framing;
  const record = layout.Framing;
  const header = offset + size;
  const isBig = isBigEndian(framing);
  const uncounted = adjustment + (includesHeader ? 0 : header);
  // No frame is shorter than its own header, nor than what is stripped from it.
  const least = Math.max(0, Math.max(header, strip) - uncounted);
  const most = Math.min(framing.maxFrameBytes - uncounted, 2 ** (8 * size) - 1);
  const window = isBig ? header - 8 : offset;
  const isPlain = offset === 0 && adjustment === 0 && strip === size;
  view.setInt32(record.uncounted, uncounted, true);
  view.setUint32(record.least, least, true);
  view.setUint32(record.spread, most - least, true);
  view.setInt32(record.window, window, true);
  view.setInt32(record.toMessage, strip - window, true);
  view.setInt32(record.toLength, uncounted - strip, true);
  view.setUint32(record.plainMax, isPlain ? most + uncounted - strip : 0, true);
  view.setBigUint64(record.above8, bytesAbove(1, size, isBig), true);
  view.setBigUint64(record.above16, bytesAbove(2, size, isBig), true);
}

/** All but the lowest `low` bytes of a field's value, as they lie in a little endian number of 8 bytes. */
function bytesAbove(low: number, size: number, isBig: boolean): bigint {
  if (size <= low) return 0n;
  const bytes = (1n << BigInt(8 * (size - low))) - 1n;
  return bytes << BigInt(8 * (isBig ? 8 - size : low));
}

function writeDelimiters(view: DataView, at: number, delimiters: readonly Uint8Array[]): void {
  const put = (field: number, value: number) => view.setUint32(field, value, true);
  const table = layout.FRAMING_BYTES;
  let bytes = table + delimiters.length * layout.FRAMING_DELIMITER_BYTES;
  put(layout.Framing.delimiters, at + table);
  put(layout.Framing.delimiterCount, delimiters.length);
  delimiters.forEach((delimiter, index) => {
    const entry = table + index * layout.FRAMING_DELIMITER_BYTES;
    put(entry + layout.FramingDelimiter.bytes, at + bytes);
    put(entry + layout.FramingDelimiter.length, delimiter.length);
    for (const byte of delimiter) view.setUint8(bytes++, byte);
  });
}

interface Fields {
  readonly kind: number;
  readonly flags: number;
  readonly maxFrameBytes: number;
  readonly offset?: number;
  readonly size?: number;
  readonly strip?: number;
  readonly maxBytes?: number;
}

function fieldsOf(framing: Framing): Fields {
  switch (framing.kind) {
    case 'raw':
      return { kind: layout.FRAMING_RAW, flags: 0, maxFrameBytes: 0x7fffffff };
    case 'fixed':
      return {
        kind: layout.FRAMING_FIXED,
        flags: 0,
        size: framing.size,
        maxFrameBytes: framing.size,
      };
    case 'lengthField':
      return {
        kind: layout.FRAMING_LENGTH_FIELD,
        flags: limitFlags(framing) | (isBigEndian(framing) ? layout.FRAMING_BIG_ENDIAN : 0),
        offset: framing.offset,
        size: framing.size,
        strip: framing.strip,
        maxFrameBytes: framing.maxFrameBytes,
      };
    case 'varint':
      return {
        kind: layout.FRAMING_VARINT,
        flags: limitFlags(framing) | (framing.keepHeader ? layout.FRAMING_KEEP_HEADER : 0),
        offset: framing.offset,
        maxBytes: framing.maxBytes,
        maxFrameBytes: framing.maxFrameBytes,
      };
    case 'delimiter':
    case 'line':
      return {
        kind: framing.kind === 'line' ? layout.FRAMING_LINE : layout.FRAMING_DELIMITER,
        flags:
          limitFlags(framing) |
          (framing.stripDelimiter ? layout.FRAMING_STRIP_DELIMITER : 0) |
          (framing.unterminated === 'deliver' ? layout.FRAMING_DELIVER_UNTERMINATED : 0),
        size: framing.kind === 'line' ? 1 : Math.max(...framing.delimiters.map((d) => d.length)),
        maxFrameBytes: framing.maxFrameBytes,
      };
  }
}

function limitFlags(framing: { failFast: boolean; onOversize: 'error' | 'discard' }): number {
  return (
    (framing.failFast ? layout.FRAMING_FAIL_FAST : 0) |
    (framing.onOversize === 'discard' ? layout.FRAMING_DISCARD_OVERSIZE : 0)
  );
}
