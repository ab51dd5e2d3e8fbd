// This package, all messages of a turn in one call.
import { listen } from '../../../dist/index.js';
import { messages } from './handlers.mjs';
import { options } from './options.mjs';
import { statisticsHandlers } from './statistics.mjs';

const server = await listen({
  ...options,
  messages,
  error(_connection, error) {
    console.error(error);
  },
  ...statisticsHandlers(() => server.port),
});
console.log(`listening ${server.address.port}`);
