// Peer: Bun.listen optimised by hand. Parses every frame across chunk borders and writes all whole
// frames of a chunk at once, without a copy. What the kernel did not take is kept and written on
// `drain`.
import { HEADER_BYTES, sizeAt } from './frame.mjs';

const server = Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open(socket) {
      socket.data = { rest: undefined, unsent: undefined };
      socket.setNoDelay(true);
    },
    data(socket, data) {
      const state = socket.data;
      const chunk = state.rest === undefined ? data : Buffer.concat([state.rest, data]);
      state.rest = undefined;
      let at = 0;
      while (chunk.length - at >= HEADER_BYTES) {
        const size = sizeAt(chunk, at);
        if (size < HEADER_BYTES) {
          socket.terminate();
          return;
        }
        if (chunk.length - at < size) break;
        at += size;
      }
      if (at > 0) send(socket, at === chunk.length ? chunk : chunk.subarray(0, at));
      if (at < chunk.length) state.rest = Buffer.from(chunk.subarray(at));
    },
    drain(socket) {
      const state = socket.data;
      if (state.unsent === undefined) return;
      const written = Math.max(socket.write(state.unsent), 0);
      state.unsent = written < state.unsent.length ? state.unsent.subarray(written) : undefined;
    },
    error() {},
  },
});

function send(socket, bytes) {
  const state = socket.data;
  if (state.unsent !== undefined) {
    state.unsent = Buffer.concat([state.unsent, bytes]);
    return;
  }
  const written = Math.max(socket.write(bytes), 0);
  if (written < bytes.length) state.unsent = Buffer.from(bytes.subarray(written));
}

console.log(`listening ${server.port}`);
