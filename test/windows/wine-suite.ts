/** The beginning of every suite that runs programs for Windows from Linux. */
import process from 'node:process';
import { suite, type Test } from 'uvu';
import { findWine, Wine } from './wine.ts';

/**
 * A suite whose tests are given a Wine of their own. Without Wine `define` is not called: the
 * suite says what to install, and fails where it has to be installed.
 */
export async function wineSuite(
  name: string,
  define: (test: Test<{ wine: Wine }>) => void,
): Promise<void> {
  const test = suite<{ wine: Wine }>(name);
  const installed = await findWine();
  if (installed !== undefined) {
    test.before(async (context) => {
      context.wine = await Wine.open(installed);
    });
    test.after(({ wine }) => wine.close());
    define(test);
  } else {
    const missing = 'Wine is not installed: apt-get install --no-install-recommends wine wine64';
    if (process.env.CI === 'true' && process.platform === 'linux') {
      test(missing, () => {
        throw new Error(missing);
      });
    } else test.skip(missing);
  }
  test.run();
}
