/** Property tests with fast-check, replayable by their seed. */
import * as fc from 'fast-check';
import { environment } from './environment.ts';

/** Neither the runs nor the search for a smaller counterexample may outlive the test's own limit. */
const LIMIT_MS = 15_000;

/**
 * Checks `property`. The seed is PROPERTY_SEED where that is set, else a new
 * one a run; a failure says how to replay it.
 */
export async function check<Ts>(
  property: fc.IRawProperty<Ts>,
  parameters: fc.Parameters<Ts> = {},
): Promise<void> {
  const wanted = environment('PROPERTY_SEED');
  const seed = wanted === undefined ? (Math.random() * 0x7fffffff) | 0 : Number(wanted);
  const details = await fc.check(property, {
    seed,
    interruptAfterTimeLimit: LIMIT_MS,
    ...parameters,
  });
  if (!details.failed) return;
  const report = fc.defaultReportMessage(details) ?? 'the property does not hold';
  throw new Error(`${report}\n\nReplay with PROPERTY_SEED=${details.seed}`, {
    cause: details.errorInstance,
  });
}

export { fc };
