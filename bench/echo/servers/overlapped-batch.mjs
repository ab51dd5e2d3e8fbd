// This package, all messages of a turn in one call. BACKEND=net|bun|… and RECEIVE_DEPTH choose.
import { lengthField, listen } from '../../../dist/index.js';
import { statisticsHandlers } from './statistics.mjs';

const server = await listen({
  backend: process.env.BACKEND ?? 'auto',
  framing: lengthField({ size: 2, endian: 'little', includesHeader: true }),
  receiveDepth: Number(process.env.RECEIVE_DEPTH) || undefined,
  messages(batch) {
    for (let i = 0; i < batch.length; i++) batch.echo(i);
  },
  error(_connection, error) {
    console.error(error);
  },
  ...statisticsHandlers(() => server.port),
});
console.log(`listening ${server.address.port}`);
