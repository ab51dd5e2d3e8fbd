/** Framings, and the decoder of one connection. */

export const FRAMING_RAW: u32 = 0;
export const FRAMING_LENGTH_FIELD: u32 = 1;
export const FRAMING_VARINT: u32 = 2;
export const FRAMING_DELIMITER: u32 = 3;
export const FRAMING_LINE: u32 = 4;
export const FRAMING_FIXED: u32 = 5;

export const FRAMING_BIG_ENDIAN: u32 = 1;
export const FRAMING_FAIL_FAST: u32 = 4;
export const FRAMING_DISCARD_OVERSIZE: u32 = 8;
export const FRAMING_DELIVER_UNTERMINATED: u32 = 16;
export const FRAMING_STRIP_DELIMITER: u32 = 32;
/** varint: deliver the whole frame, prefix included. */
export const FRAMING_KEEP_HEADER: u32 = 64;

/** How bytes become frames: immutable once written by the host, shared by every connection of a listener. */
@unmanaged
export class Framing {
  kind: u32;
  flags: u32;
  /** Bytes before the length field or varint. */
  offset: u32;
  /** Bytes of the length field: 1, 2, 3, 4, 8. fixed: the frame's length. delimiter: the longest delimiter's length. */
  size: u32;
  /** lengthField: what the field's value leaves out of the frame's length; may be negative. */
  uncounted: i32;
  /** Bytes that leave the front before delivery. */
  strip: u32;
  /** Largest frame on the wire, header and delimiter included. */
  maxFrameBytes: u32;
  /** varint: most bytes of the prefix. */
  maxBytes: u32;
  /** Address of `delimiterCount` FramingDelimiters. */
  delimiters: usize;
  delimiterCount: u32;
  // The rest is for lengthField: what else would be computed in every call.
  /** The least value of a frame that is not too short, and how many values above it are good, too. */
  least: u32;
  spread: u32;
  /** From a frame to the 8 bytes that begin (little endian) or end (big endian) with its field; may be negative. */
  window: i32;
  /** From there to the message. */
  toMessage: i32;
  /** What the value leaves out of the message's length. */
  toLength: i32;
  /**
   * The longest message of a plain length field (nothing before it, nothing
   * adjusted, the whole header stripped): up to it a frame is the field and the
   * message, without a further look. 0 for any other framing.
   */
  plainMax: u32;
  /** Those of the 8 bytes that are 0 while the value is below 2^8, and below 2^16. */
  above8: u64;
  above16: u64;
}
export const FRAMING_BYTES: u32 = 80;

@unmanaged
export class FramingDelimiter {
  /** Address of the delimiter's bytes. */
  bytes: usize;
  length: u32;
}
export const FRAMING_DELIMITER_BYTES: u32 = 8;

/** What several decoders on one thread share: where memory comes from and what waits to be freed. */
@unmanaged
export class DecodeContext {
  arena: usize;
  /** Chain of assembly blocks whose frames were delivered; freed by `decodeReclaim`. */
  released: usize;
}
export const DECODE_CONTEXT_BYTES: u32 = 8;

/** One connection's decoder. All zero but `framing` and `owner` is a fresh one. */
@unmanaged
export class Decoder {
  framing: usize;
  /** Written into `Event.connection` of each frame. */
  owner: i32;
  /** Negative error once the stream is broken; nothing is decoded after. */
  error: i32;
  /** Bytes of the last input that were taken. */
  consumed: u32;
  /** Assembly block of a frame that spans inputs, or 0. */
  assembly: usize;
  assemblyLength: u32;
  /** Length of the frame on the wire once known, else 0. */
  frameLength: u32;
  /** Bytes of an oversized frame still to be skipped (f64: up to 2^53). */
  skip: f64;
  /** Decoder's own state between inputs. */
  phase: u32;
  /** Bytes copied into assembly blocks so far (wraps): frames that lie in one input add none. */
  copied: u32;
  reserved0: u32;
  reserved1: u32;
}
export const DECODER_BYTES: u32 = 56;
