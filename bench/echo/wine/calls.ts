/** How many calls into Windows a server made for its messages, from its port's own counters. */
import { type Figure, figureOf, judgeLimit, type Verdict } from '../../report/model.ts';

/** The backend's counters as the server wrote them. */
export type Counters = Readonly<Record<string, number>>;

export interface Run {
  /** All messages of the run, warm-up included, as the load generator counted them. */
  readonly allMessages: number;
  readonly counters?: Counters | undefined;
}

/** What a port does for a message again and again. Waiting elsewhere and accepting are shown apart. */
const PORT_CALLS = ['dequeues', 'receiveCalls', 'sendCalls'] as const;
const SHOWN = [...PORT_CALLS, 'waits', 'packets'] as const;

const THOUSAND = 1_000;

function perThousand({ allMessages, counters }: Run, names: readonly string[]): number {
  const calls = names.reduce((sum, name) => sum + (counters?.[name] ?? 0), 0);
  return (calls * THOUSAND) / allMessages;
}

export interface CallsReport {
  readonly server: string;
  readonly workload: string;
  /** Port calls for a thousand messages. */
  readonly calls: Figure;
  /** Median of each counter for a thousand messages. */
  readonly counters: Readonly<Record<(typeof SHOWN)[number], number>>;
  readonly bound: number | undefined;
  readonly verdict: Verdict | undefined;
}

/** Undefined where no run has counters. */
export function callsOf(
  server: string,
  workload: string,
  runs: readonly (Run | undefined)[],
  bound: number | undefined,
): CallsReport | undefined {
  const counted = runs.filter((run) => run?.counters !== undefined) as Run[];
  if (counted.length === 0) return undefined;
  const calls = figureOf(counted.map((run) => perThousand(run, PORT_CALLS)));
  const medians = SHOWN.map((name) => [
    name,
    figureOf(counted.map((run) => perThousand(run, [name]))).median,
  ]);
  return {
    server,
    workload,
    calls,
    counters: Object.fromEntries(medians),
    bound,
    verdict: bound === undefined ? undefined : judgeLimit(calls, bound, 'less'),
  };
}
