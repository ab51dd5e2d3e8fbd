/**
 * The one suite that every backend passes (R27), at the level of the public
 * API. A backend is added by one file that calls `conformance` and runs it.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BackendSelection } from '../../backends/backend.ts';
import { environment } from '../support/environment.ts';
import { connecting } from './cases/connecting.ts';
import { datagrams } from './cases/datagrams.ts';
import { echo } from './cases/echo.ts';
import { ending } from './cases/ending.ts';
import { frames } from './cases/frames.ts';
import { handlers } from './cases/handlers.ts';
import { lifetime } from './cases/lifetime.ts';
import { pressure } from './cases/pressure.ts';
import { type Capabilities, Context, failingOnExceptions, within } from './context.ts';
import { recorded } from './recorder.ts';

/** One thing that must hold on every backend. */
export interface Case {
  readonly name: string;
  run(context: Context): Promise<void>;
  /** Left out where false. */
  needs?(capabilities: Capabilities): boolean;
  /** Holds where connections break by themselves too. */
  readonly survivesBreaks?: boolean;
  /** Uncaught exceptions are part of it. */
  readonly throws?: boolean;
}

const CASES: readonly Case[] = [
  ...echo,
  ...pressure,
  ...ending,
  ...connecting,
  ...frames,
  ...handlers,
  ...lifetime,
  ...datagrams,
];

const NOTHING_LEFT = { operations: 0, handles: 0, lent: 0, buffers: 0, connections: 0 };

/** CONFORMANCE_CASE runs only the cases with this in their names. */
const WANTED = environment('CONFORMANCE_CASE') ?? '';

/**
 * Registers the suite for one backend.
 *
 * @param select makes a selection, a new one for each case
 * @param cases other ones than those of the suite, run in the same way
 */
export function conformance(
  label: string,
  select: () => BackendSelection<never> | BackendSelection<unknown>,
  capabilities: Capabilities,
  cases: readonly Case[] = CASES,
): void {
  const test = suite(label);
  for (const { name, run, needs, survivesBreaks, throws } of cases) {
    if (needs !== undefined && !needs(capabilities)) continue;
    if (capabilities.leavesOut?.includes(name)) continue;
    if (capabilities.breaks && !survivesBreaks) continue;
    if (!`${label}: ${name}`.includes(WANTED)) continue;
    test(`${label}: ${name}`, async () => {
      const { selection, record } = recorded(select() as BackendSelection<unknown>);
      const context = await Context.open(selection, capabilities);
      let failure: unknown;
      try {
        if (throws) await run(context);
        else await failingOnExceptions(() => run(context));
      } catch (error) {
        failure = error;
      }
      // In order even after a failure, so that the next case starts clean.
      const closing = Promise.all([context.server.close(), context.client.close()]);
      const left = await within('closing both ports', closing).catch((error: unknown) => {
        throw failure ?? error;
      });
      if (failure !== undefined) throw failure;
      assert.equal(record.violations, []);
      assert.is(record.pending, 0, 'every token completed');
      assert.equal(left[0], NOTHING_LEFT, 'the server leaves nothing');
      assert.equal(left[1], NOTHING_LEFT, 'the client leaves nothing');
    });
  }
  test.run();
}
