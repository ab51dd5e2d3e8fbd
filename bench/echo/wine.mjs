// @ts-check
/**
 * The echo benchmark for Windows: servers in node.exe and bun.exe under Wine, loaded from Linux.
 *
 *   node bench/echo/wine.mjs [--rounds 5] [--seconds 1] [--warmup 1] [--size 64] [--node 20]
 *       [--workloads 1x64,50x16,8x4x16384,50x1,1x1] [--servers name,name,…] [--json FILE]
 *       [--report FILE.html] [--quick] [--list] [--growth]
 *
 * The programs come from the tests' cache (`test/windows`), which is in TypeScript: the build
 * bundles `wine/main.ts` and runs it.
 */
import { resolve } from 'node:path';

// The build's runner changes to the repository's folder.
const [, , ...given] = process.argv;
for (const option of ['--json', '--report']) {
  const file = given.indexOf(option) + 1;
  if (file > 0 && given[file] !== undefined) given[file] = resolve(given[file]);
}
process.argv = [...process.argv.slice(0, 2), 'bench/echo/wine/main.ts', ...given];
await import('../../build/run.mjs');
