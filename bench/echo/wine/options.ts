/** Options of the benchmark in Wine. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { WORKLOADS } from './catalogue.ts';

const OPTIONS = {
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  warmup: { type: 'string', default: '1' },
  size: { type: 'string', default: '64' },
  node: { type: 'string', default: '20' },
  workloads: { type: 'string', default: WORKLOADS },
  servers: { type: 'string' },
  json: { type: 'string' },
  report: { type: 'string' },
  growth: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
} as const;

/** Of the command line. A mistake on it is told in a line, and ends the program with 2. */
export function readOptions() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    console.error(`bench/echo/wine: ${(error as Error).message}`);
    process.exit(2);
  }
}
