// Peer: the server one writes by hand over node:net. Parses every frame (two bytes of length,
// little endian, the header counts) across chunk borders and writes each reply under `cork`.
import { createServer } from 'node:net';

const HEADER_BYTES = 2;

const server = createServer({ noDelay: true }, (socket) => {
  let rest;
  socket.on('data', (data) => {
    const chunk = rest === undefined ? data : Buffer.concat([rest, data]);
    rest = undefined;
    let at = 0;
    socket.cork();
    while (chunk.length - at >= HEADER_BYTES) {
      const size = chunk[at] | (chunk[at + 1] << 8);
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
