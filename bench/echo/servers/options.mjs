/** What the benchmark chooses of this package's servers, by variables; see the catalogue. */
import { lengthField } from '../../../dist/index.js';
import { HEADER_BYTES } from './frame.mjs';

/** More than any message of the benchmark; by default a frame is at most as long as two bytes can say. */
const MOST_FRAME_BYTES = 1 << 24;

/** Leaves out what is not given. */
const numbers = (names) =>
  Object.fromEntries(
    Object.entries(names)
      .map(([name, text]) => [name, Number(text)])
      .filter(([, value]) => value > 0),
  );

export const options = {
  backend: process.env.BACKEND || 'auto',
  framing: lengthField({
    size: HEADER_BYTES,
    endian: 'little',
    includesHeader: true,
    ...(HEADER_BYTES > 2 && { maxFrameBytes: MOST_FRAME_BYTES }),
  }),
  ...numbers({
    receiveDepth: process.env.RECEIVE_DEPTH,
    receiveBufferBytes: process.env.RECEIVE_BUFFER_BYTES,
    maxConnections: process.env.MAX_CONNECTIONS,
  }),
};
