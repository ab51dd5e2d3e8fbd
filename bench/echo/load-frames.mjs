// @ts-check
/** The frames of the load generators, as load.c makes them. */

const PATTERN_BYTES = 1 << 16;
const IDENTITY_BYTES = 8;
const KINDS = new Map(
  Object.entries({
    ...{ u8: { bytes: 1, little: false }, u16le: { bytes: 2, little: true } },
    ...{ u16be: { bytes: 2, little: false }, u24be: { bytes: 3, little: false } },
    ...{ u32le: { bytes: 4, little: true }, u32be: { bytes: 4, little: false } },
    raw: { bytes: 0, little: false },
  }),
);

/** @type {Buffer} */
const pattern = Buffer.alloc(2 * PATTERN_BYTES);
for (let i = 0, random = 0x9e3779b9; i < PATTERN_BYTES; i++) {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  pattern[i] = pattern[i + PATTERN_BYTES] = random >>> 24;
}

/**
 * @typedef {object} Framing
 * @property {string} name
 * @property {Buffer} header the same for all frames, which are of one size
 * @property {number} sizeBytes of a frame, header included
 */

/**
 * Reads a framing's name; returns what is wrong with it as text.
 * @param {string} name
 * @param {number} sizeBytes
 * @returns {Framing | string}
 */
export function parseFraming(name, sizeBytes) {
  if (name === 'ws' || name === 'zmtp') return `${name} needs the load generator in C`;
  const [, word, inclusive] = /^(\w+)(-inclusive)?$/.exec(name) ?? [];
  const kind = KINDS.get(String(word));
  if (kind === undefined) return 'unknown framing';
  const { bytes, little } = kind;
  if (sizeBytes < bytes + IDENTITY_BYTES) return 'SIZE: at least the header and 8 bytes';
  const announced = inclusive === undefined ? sizeBytes - bytes : sizeBytes;
  if (bytes > 0 && bytes < 4 && announced >= 2 ** (8 * bytes)) return 'SIZE exceeds the framing';
  const header = Buffer.alloc(bytes);
  if (bytes > 0 && little) header.writeUIntLE(announced, 0, bytes);
  else if (bytes > 0) header.writeUIntBE(announced, 0, bytes);
  return { name, header, sizeBytes };
}

/**
 * @param {Framing} framing
 * @param {number} connection
 * @param {number} sequence
 * @returns {Buffer} of its own
 */
export function makeFrame({ header, sizeBytes }, connection, sequence) {
  const frame = Buffer.allocUnsafe(sizeBytes);
  header.copy(frame);
  frame.writeUInt32LE(connection, header.length);
  frame.writeUInt32LE(sequence >>> 0, header.length + 4);
  const sum = (Math.imul(sequence, 2654435761) + Math.imul(connection, 40503)) >>> 0;
  const start = (sum >>> 7) % PATTERN_BYTES;
  for (let at = header.length + IDENTITY_BYTES; at < sizeBytes; at += PATTERN_BYTES) {
    pattern.copy(frame, at, start, start + PATTERN_BYTES);
  }
  return frame;
}

/**
 * The bytes that must come back for a message. An echo's are its request's.
 * @type {typeof makeFrame}
 */
export const expectedReply = makeFrame;
