// Peer: the package frame-stream over node:net, used as its documentation shows: a decoder and an
// encoder in the pipe. The length is big endian and counts the payload only.
import { createServer } from 'node:net';
import { decode, encode } from 'frame-stream';

const LENGTH_BYTES = 4;

const server = createServer({ noDelay: true }, (socket) => {
  const decoder = decode({ lengthSize: LENGTH_BYTES });
  const encoder = encode({ lengthSize: LENGTH_BYTES });
  socket.pipe(decoder);
  decoder.pipe(encoder);
  encoder.pipe(socket);
  socket.on('error', () => {});
  decoder.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
