// Peer: the server one writes by hand over node:net. Parses every frame across chunk borders and
// writes each reply under `cork`.
import { createServer } from 'node:net';
import { HEADER_BYTES, sizeAt } from './frame.mjs';

const server = createServer({ noDelay: true }, (socket) => {
  let rest;
  socket.on('data', (data) => {
    const chunk = rest === undefined ? data : Buffer.concat([rest, data]);
    rest = undefined;
    let at = 0;
    socket.cork();
    while (chunk.length - at >= HEADER_BYTES) {
      const size = sizeAt(chunk, at);
      if (size < HEADER_BYTES) {
        socket.destroy();
        return;
      }
      if (chunk.length - at < size) break;
      socket.write(chunk.subarray(at, at + size));
      at += size;
    }
    socket.uncork();
    if (at < chunk.length) rest = chunk.subarray(at);
  });
  socket.on('error', () => {});
});
server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
