/** Every case. */
import type { MicroCase } from '../case.ts';
import { decodeCases } from './decode.ts';
import { encodeCases } from './encode.ts';
import { packetCases } from './packets.ts';
import { poolCases } from './pool.ts';
import { sendQueueCases } from './send-queue.ts';
import { storeCases } from './store.ts';
import { threadCases } from './threads.ts';
import { turnCases } from './turn.ts';

export const CASES: readonly MicroCase[] = [
  ...turnCases,
  ...decodeCases,
  ...encodeCases,
  ...storeCases,
  ...threadCases,
  ...poolCases,
  ...sendQueueCases,
  ...packetCases,
];
