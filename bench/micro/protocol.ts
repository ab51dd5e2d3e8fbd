/** What the command tells a host to measure, and what the host reports. */
import type { Allocation } from './allocation.ts';
import type { CaseResult, Effort } from './measure.ts';

export interface Settings {
  readonly effort: Effort;
  /** Ids of the cases to measure. */
  readonly cases: readonly string[];
  /** Path of the compiled program in C, where the host can start it. */
  readonly native?: string;
  /** Instead of cases: what the batch path allocates over so many messages. */
  readonly allocationMessages?: number;
}

export type Report =
  | { readonly type: 'host'; readonly name: string; readonly version: string }
  | { readonly type: 'begin'; readonly id: string }
  | ({ readonly type: 'case' } & CaseResult)
  | { readonly type: 'error'; readonly id: string; readonly text: string }
  | ({ readonly type: 'allocation' } & Allocation)
  | { readonly type: 'end' };
