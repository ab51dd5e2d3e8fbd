/** The algorithm, proven on models: what is right is verified, what is broken on purpose refuted. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { environment } from '../support/environment.ts';
import { ALL_CHECKS, describeCheck, type ModelCheck } from './models.ts';
import { checkModel, judge, SpinMissing } from './spin.ts';

/** Why the models cannot be checked here, in words; in CI that is a failure. */
async function findObstacle(): Promise<string | undefined> {
  const [smallest] = ALL_CHECKS;
  try {
    await checkModel(smallest as ModelCheck);
    return undefined;
  } catch (error) {
    if (!(error instanceof SpinMissing) || environment('CI') === 'true') throw error;
    console.log(`the models are not checked: ${error.message}`);
    return error.message;
  }
}

const obstacle = await findObstacle();

for (const check of ALL_CHECKS) {
  const verb = check.refutedBy === undefined ? 'is verified' : 'is refuted';
  const title = `${describeCheck(check)} ${verb}`;
  if (obstacle !== undefined) test.skip(`${title}: ${obstacle}`);
  else {
    test(title, async () => {
      const fault = judge(check, await checkModel(check));
      if (fault !== undefined) assert.unreachable(fault);
    });
  }
}

test.run();
