/** Many schedules of one scenario, each from its own seed. */

import { Violation } from './actions.ts';
import type { FibreMachine } from './fibres.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { BoundedPreemption, RandomWalk } from './strategies.ts';

/** Seeds take turns. */
const STRATEGIES = [new RandomWalk(), new BoundedPreemption()];

export interface Exploration {
  readonly schedules: number;
  readonly steps: number;
  readonly violation: { readonly seed: number; readonly message: string } | undefined;
}

/** One schedule. @throws Violation */
export function runSchedule(machine: FibreMachine, scenario: Scenario, seed: number): void {
  machine.reset(seed);
  const checkEnd = scenario.prepare(machine);
  machine.run(STRATEGIES[seed % STRATEGIES.length] as (typeof STRATEGIES)[number]);
  checkEnd();
}

/** Runs the schedules of `count` seeds from `seed` on, or up to the first violation. */
export function explore(
  machine: FibreMachine,
  scenario: Scenario,
  count: number,
  seed: number,
): Exploration {
  let steps = 0;
  for (let i = 0; i < count; i++) {
    try {
      runSchedule(machine, scenario, seed + i);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      const violation = { seed: seed + i, message: error.message };
      return { schedules: i + 1, steps: steps + machine.steps, violation };
    }
    steps += machine.steps;
  }
  return { schedules: count, steps, violation: undefined };
}

/** What happens in the schedule of one seed, a line a step, and how it ends. */
export function traceSchedule(machine: FibreMachine, scenario: Scenario, seed: number): string[] {
  const trace: string[] = [];
  machine.trace = trace;
  try {
    runSchedule(machine, scenario, seed);
    trace.push('ends as it must');
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    trace.push(`VIOLATION ${error.message}`);
  } finally {
    machine.trace = undefined;
  }
  return trace;
}

/** The steps before a violation that are shown. */
const TRACE_LINES = 60;

/** A violation in words: how to see its schedule again, and its last steps. */
export function describeViolation(
  machine: FibreMachine,
  scenario: Scenario,
  seed: number,
  everyAccess: boolean,
): string {
  const trace = traceSchedule(machine, scenario, seed);
  const flag = everyAccess ? ' --every-access' : '';
  return [
    `${scenario.name}: seed ${seed}: ${trace.at(-1)}`,
    `  node build/run.mjs test/model/schedules.ts --replay ${seed} --scenario '${scenario.name}'${flag}`,
    ...trace.slice(-TRACE_LINES).map((line) => `    ${line}`),
  ].join('\n');
}
