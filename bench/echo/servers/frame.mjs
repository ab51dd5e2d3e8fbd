/**
 * The frames of the servers written by hand: HEADER_BYTES (2 or 4, by default 2) of length,
 * little endian, which counts the header too.
 */
export const HEADER_BYTES = Number(process.env.HEADER_BYTES) || 2;

/**
 * Length of the frame at `at`, of which at least HEADER_BYTES are there.
 * @type {(chunk: Uint8Array, at: number) => number}
 */
export const sizeAt =
  HEADER_BYTES === 2
    ? (chunk, at) => chunk[at] | (chunk[at + 1] << 8)
    : (chunk, at) =>
        (chunk[at] | (chunk[at + 1] << 8) | (chunk[at + 2] << 16) | (chunk[at + 3] << 24)) >>> 0;
