// Bun.listen, no framing: what arrives goes back. Not a peer (it parses nothing): Bun's ceiling.
// What the kernel did not take is kept and written on `drain`.
const server = Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open(socket) {
      socket.data = { unsent: undefined };
      socket.setNoDelay(true);
    },
    data(socket, data) {
      const state = socket.data;
      if (state.unsent !== undefined) {
        state.unsent = Buffer.concat([state.unsent, data]);
        return;
      }
      const written = socket.write(data);
      if (written < data.length) state.unsent = Buffer.from(data.subarray(Math.max(written, 0)));
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
console.log(`listening ${server.port}`);
