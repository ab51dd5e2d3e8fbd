/** What an I/O worker starts with. */
import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';
import { PinnedWorker } from './pinned-worker.ts';
import { SharedWorker } from './shared-worker.ts';

const channel = parentPort;
if (channel === null) throw new Error('this is the program of a worker thread');

const start = workerData as WorkerStart;
const post = (message: FromWorker) => channel.postMessage(message);
const worker =
  start.scheduling === 'shared' ? new SharedWorker(start, post) : new PinnedWorker(start, post);
channel.on('message', (message: ToWorker) => void worker.receive(message));
process.on('uncaughtException', (error) => void worker.die(error));
process.on('unhandledRejection', (error) => void worker.die(error));
process.on('exit', () => worker.exit());
await worker.load();
