/**
 * `npm run build`: the core, the bundles and the declarations, in dist/.
 * `npm run build -- --core` stops after what comes from assembly/.
 */
import process from 'node:process';
import { buildAll } from './all.ts';

const coreOnly = process.argv.includes('--core');
try {
  await buildAll({ bundles: !coreOnly, declarations: !coreOnly, clean: !coreOnly });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
