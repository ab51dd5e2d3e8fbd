// Peer: the package ws, binary messages, without compression (its default for a server).
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () =>
  console.log(`listening ${server.address().port}`),
);
server.on('connection', (socket) => {
  socket.on('message', (data) => socket.send(data, { binary: true }));
  socket.on('error', () => {});
});
