/** What a thread of an experiment starts with: finds its role, waits for the others, and runs it. */
import { parentPort, workerData } from 'node:worker_threads';
import { Core, type CoreHandle } from '../core/core.ts';
import { Board, type Stage } from './board.ts';
import { runLocks } from './locks-thread.ts';
import { runOrderClient } from './order-client.ts';
import { runOrderIo, runOrderPool } from './order-thread.ts';
import { runReceiver, runSource } from './recv-thread.ts';
import { runSender, runSink } from './senders-thread.ts';

/** Prepares at once; what it returns runs once the gate is open. */
const roles = {
  receiver: runReceiver,
  source: runSource,
  sender: runSender,
  sink: runSink,
  locks: runLocks,
  orderIo: runOrderIo,
  orderPool: runOrderPool,
  orderClient: runOrderClient,
} as const;

export type RoleName = keyof typeof roles;
/** Each role as what it does in all. */
export type Roles = {
  [R in RoleName]: (
    stage: Stage,
    task: Parameters<(typeof roles)[R]>[1],
  ) => Awaited<ReturnType<Awaited<ReturnType<(typeof roles)[R]>>>>;
};

/** `workerData` of a thread. */
export interface ThreadData {
  readonly core: CoreHandle;
  readonly board: number;
  readonly role: RoleName;
  readonly task: unknown;
}

/** What a thread posts when it is done. */
export type ThreadMessage = { readonly result: unknown } | { readonly error: string };

const data = workerData as ThreadData;
const core = Core.attach(data.core);
const board = new Board(core, data.board);
let message: ThreadMessage;
try {
  const prepare = roles[data.role] as (stage: Stage, task: unknown) => Promise<() => unknown>;
  const run = await prepare({ core, board }, data.task);
  board.passGate();
  message = { result: await run() };
} catch (error) {
  message = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
parentPort?.postMessage(message);
