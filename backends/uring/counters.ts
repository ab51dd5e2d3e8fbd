/** What a driver counts: see `BackendCounters`. */

const COUNTERS = [
  'enters',
  'submitted',
  'waits',
  'wakes',
  'passes',
  'fullRings',
  'accepts',
  'acceptsRefused',
  'cancels',
  'stale',
  'staleSocketsReplaced',
] as const;
type Counter = (typeof COUNTERS)[number];
export type Counts = { [name in Counter]: number };

export function freshCounts(): Counts {
  return Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Counts;
}
