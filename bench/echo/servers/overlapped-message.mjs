// This package, one call and one borrowed view a message. BACKEND=net|bun|… chooses.
import { lengthField, listen } from '../../../dist/index.js';
import { statisticsHandlers } from './statistics.mjs';

const server = await listen({
  backend: process.env.BACKEND ?? 'auto',
  framing: lengthField({ size: 2, endian: 'little', includesHeader: true }),
  message(connection, bytes) {
    connection.send(bytes);
  },
  error(_connection, error) {
    console.error(error);
  },
  ...statisticsHandlers(() => server.port),
});
console.log(`listening ${server.address.port}`);
