// This package with its handlers in I/O workers. WORKERS, SCHEDULING=pinned|shared and
// DRIVER=loop|blocking choose.
import { listen } from '../../../dist/index.js';
import { options } from './options.mjs';

const { WORKERS, SCHEDULING, DRIVER } = process.env;
const server = await listen({
  ...options,
  workers: Number(WORKERS) || 1,
  ...(SCHEDULING && { scheduling: SCHEDULING }),
  ...(DRIVER && { driver: DRIVER }),
  handlers: new URL('./handlers.mjs', import.meta.url),
});
console.log(`listening ${server.address.port}`);
