// Peer: optimised by hand as a server must be whose replies are not its requests: each reply is
// put, header and payload, into one buffer a chunk, and that is written once.
import { createServer } from 'node:net';
import { HEADER_BYTES, sizeAt } from './frame.mjs';

const server = createServer({ noDelay: true }, (socket) => {
  let rest;
  socket.on('data', (data) => {
    const chunk = rest === undefined ? data : Buffer.concat([rest, data]);
    rest = undefined;
    const reply = Buffer.allocUnsafe(chunk.length);
    let at = 0;
    while (chunk.length - at >= HEADER_BYTES) {
      const size = sizeAt(chunk, at);
      if (size < HEADER_BYTES) {
        socket.destroy();
        return;
      }
      if (chunk.length - at < size) break;
      for (let i = 0; i < HEADER_BYTES; i++) reply[at + i] = size >>> (8 * i);
      chunk.copy(reply, at + HEADER_BYTES, at + HEADER_BYTES, at + size);
      at += size;
    }
    if (at > 0) socket.write(reply.subarray(0, at));
    if (at < chunk.length) rest = chunk.subarray(at);
  });
  socket.on('error', () => {});
});
server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
