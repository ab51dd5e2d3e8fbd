/** What a server with workers tells of itself. */
import type { PortStatistics } from '../../stats.ts';

/** What a worker reports. */
export interface WorkerPortStatistics {
  /** Connections open now. */
  readonly connections: number;
  readonly accepted: number;
  /** Accepts that failed; the listener went on. */
  readonly acceptErrors: number;
  readonly port: PortStatistics;
}

export interface WorkerStatistics extends Partial<WorkerPortStatistics> {
  readonly worker: number;
  readonly state: 'starting' | 'running' | 'dead';
  /** Times it was replaced. */
  readonly restarts: number;
  /** How long its present turn has been running, 0 between turns: a handler that does not return shows here. */
  readonly turnMs: number;
  /** It did not answer in time: the rest is what it said last. */
  readonly isStale: boolean;
}

export interface WorkerServerStatistics {
  readonly connections: number;
  readonly accepted: number;
  readonly acceptErrors: number;
  /** Workers that died. */
  readonly deaths: number;
  readonly workers: readonly WorkerStatistics[];
  /** Counters of all ports, summed. */
  readonly port: PortStatistics;
}

/** Adds numbers up, however deep they lie; all of one shape, or with parts missing. */
export function sumStatistics<Record extends object>(records: readonly Record[]): Record {
  const sum: { [name: string]: unknown } = {};
  for (const record of records) {
    for (const [name, value] of Object.entries(record)) {
      const before = sum[name];
      if (typeof value === 'number') sum[name] = ((before as number | undefined) ?? 0) + value;
      else if (typeof value === 'object' && value !== null) {
        sum[name] = sumStatistics(before === undefined ? [value] : [before as object, value]);
      }
    }
  }
  return sum as Record;
}
