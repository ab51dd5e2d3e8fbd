// Peer: optimised by hand. Parses every frame, then writes all whole frames of a chunk at once,
// without a copy: possible only because an echo's replies lie as they came.
import { createServer } from 'node:net';
import { HEADER_BYTES, sizeAt } from './frame.mjs';

const server = createServer({ noDelay: true }, (socket) => {
  let rest;
  socket.on('data', (data) => {
    const chunk = rest === undefined ? data : Buffer.concat([rest, data]);
    rest = undefined;
    let at = 0;
    while (chunk.length - at >= HEADER_BYTES) {
      const size = sizeAt(chunk, at);
      if (size < HEADER_BYTES) {
        socket.destroy();
        return;
      }
      if (chunk.length - at < size) break;
      at += size;
    }
    if (at > 0) socket.write(at === chunk.length ? chunk : chunk.subarray(0, at));
    if (at < chunk.length) rest = chunk.subarray(at);
  });
  socket.on('error', () => {});
});
server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
