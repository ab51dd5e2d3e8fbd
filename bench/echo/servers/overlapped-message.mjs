// This package, one call and one borrowed view a message.
import { listen } from '../../../dist/index.js';
import { options } from './options.mjs';
import { statisticsHandlers } from './statistics.mjs';

const server = await listen({
  ...options,
  message(connection, bytes) {
    connection.send(bytes);
  },
  error(_connection, error) {
    console.error(error);
  },
  ...statisticsHandlers(() => server.port),
});
console.log(`listening ${server.address.port}`);
