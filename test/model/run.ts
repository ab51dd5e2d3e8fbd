/**
 * Checks the models of test/model with Spin, all or those whose name contains a text:
 *
 *   node build/run.mjs test/model/run.ts [text]
 *
 * With `--trail` a counterexample is shown also where one is wanted.
 */
import process from 'node:process';
import { ALL_CHECKS, describeCheck } from './models.ts';
import { checkModel, judge, SpinMissing } from './spin.ts';

const arguments_ = process.argv.slice(2);
const showsTrail = arguments_.includes('--trail');
const wanted = arguments_.find((argument) => !argument.startsWith('--')) ?? '';
const checks = ALL_CHECKS.filter((check) => describeCheck(check).includes(wanted));
const started = performance.now();
let failures = 0;

try {
  for (const check of checks) {
    const before = performance.now();
    const result = await checkModel(check);
    const fault = judge(check, result);
    if (fault !== undefined) failures++;
    const seconds = ((performance.now() - before) / 1000).toFixed(1);
    const verdict = result.verified ? 'verified' : `refuted (${result.complaint})`;
    console.log(
      `${fault === undefined ? 'ok    ' : 'FAILED'} ${describeCheck(check)}: ${verdict}, ` +
        `${result.states} states, depth ${result.depth}  (${seconds} s)`,
    );
    if (fault !== undefined) console.log(fault.replace(/^/gm, '    '));
    else if (showsTrail && result.trail !== '') console.log(result.trail.replace(/^/gm, '    '));
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${checks.length - failures} as they must be, ${failures} not  (${seconds} s)`);
  if (failures > 0 || checks.length === 0) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof SpinMissing)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
