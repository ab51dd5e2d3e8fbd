// The peer: a plain node:net echo server.
import { createServer } from 'node:net';

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', () => {});
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  console.log(`listening ${server.address().port}`);
});
process.on('SIGUSR2', () => {
  for (let i = 0; i < 3; i++) globalThis.gc();
});
