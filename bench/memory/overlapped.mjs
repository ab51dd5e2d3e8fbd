// This package as an echo server of framed messages.
import { lengthField, listen } from '../../dist/index.js';

// Before anyone knows of it: without a handler the signal ends the process.
process.on('SIGUSR2', () => {
  for (let i = 0; i < 3; i++) globalThis.gc();
});

const server = await listen({
  backend: process.env.BACKEND ?? 'auto',
  backlog: 4096,
  maxConnections: Number(process.env.MAX_CONNECTIONS ?? 16_384),
  framing: lengthField({ size: 2, endian: 'little', includesHeader: true }),
  messages(batch) {
    for (let i = 0; i < batch.length; i++) batch.echo(i);
  },
  error(_connection, error) {
    console.error(error);
  },
});
console.log(`listening ${server.address.port}`);
