/**
 * Runs schedules through the real core, and through broken ones until each is found out:
 *
 *   node build/run.mjs test/model/schedules.ts [--count 100000] [--seed 1]
 *
 * Shows the schedule of one seed again, step by step:
 *
 *   node build/run.mjs test/model/schedules.ts --replay <seed> --scenario <name>
 *     [--every-access] [--broken <name>]
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { assembleFibreCore } from '../../build/asyncify.ts';
import {
  BROKEN_CASES,
  BROKEN_SCHEDULES_MAX,
  brokenMachine,
  divide,
  FINE_SHARES,
  SHARES,
  type Share,
} from './cores.ts';
import { describeViolation, explore, traceSchedule } from './explore.ts';
import { FibreMachine } from './fibres.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string' },
    scenario: { type: 'string', default: '' },
    broken: { type: 'string' },
    'every-access': { type: 'boolean', default: false },
  },
});

const seed = Number(values.seed);
let failures = 0;

async function replay(from: number): Promise<void> {
  const everyAccess = values['every-access'];
  const broken = BROKEN_CASES.find(({ name }) => name === values.broken);
  if (values.broken !== undefined && broken === undefined) {
    throw new Error(`no such case; there are: ${BROKEN_CASES.map(({ name }) => name).join('; ')}`);
  }
  const shares = everyAccess ? FINE_SHARES : SHARES;
  const scenario =
    broken?.scenario ?? shares.find((share) => share.scenario.name === values.scenario)?.scenario;
  if (scenario === undefined) {
    const names = shares.map((share) => share.scenario.name);
    throw new Error(`no such scenario; there are: ${names.join('; ')}`);
  }
  const machine =
    broken === undefined
      ? new FibreMachine(await assembleFibreCore({ everyAccess }))
      : await brokenMachine(broken);
  console.log(traceSchedule(machine, scenario, from).join('\n'));
}

async function exploreAll(everyAccess: boolean, shares: readonly Share[], count: number) {
  const machine = new FibreMachine(await assembleFibreCore({ everyAccess }));
  let total = 0;
  for (const { scenario, count: share } of divide(shares, count)) {
    const started = performance.now();
    const { schedules, steps, violation } = explore(machine, scenario, share, seed);
    const seconds = (performance.now() - started) / 1000;
    total += schedules;
    const verdict = violation === undefined ? 'ok    ' : 'FAILED';
    const name = `${scenario.name}${everyAccess ? ', every access' : ''}`;
    const rate = `${Math.round(schedules / seconds)} a second`;
    const each = `${(steps / schedules).toFixed(0)} steps each`;
    console.log(`${verdict} ${name}: ${schedules} schedules, ${each}, ${rate}`);
    if (violation === undefined) continue;
    failures++;
    console.log(describeViolation(machine, scenario, violation.seed, everyAccess));
  }
  return total;
}

async function findBroken(): Promise<void> {
  for (const broken of BROKEN_CASES) {
    const { name, scenario, found } = broken;
    const machine = await brokenMachine(broken);
    const { schedules, violation } = explore(machine, scenario, BROKEN_SCHEDULES_MAX, seed);
    const holds = violation !== undefined && found.test(violation.message);
    if (!holds) failures++;
    const what =
      violation === undefined ? 'not found' : `seed ${violation.seed}: ${violation.message}`;
    console.log(`${holds ? 'found ' : 'FAILED'} ${name}: after ${schedules} schedules, ${what}`);
  }
}

if (values.replay !== undefined) await replay(Number(values.replay));
else {
  const count = Number(values.count);
  const started = performance.now();
  let total = await exploreAll(false, SHARES, count * 0.9);
  total += await exploreAll(true, FINE_SHARES, count * 0.1);
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${total} schedules in ${seconds.toFixed(1)} s, ${Math.round(total / seconds)} a second`,
  );
  await findBroken();
  if (failures > 0) process.exitCode = 1;
}
