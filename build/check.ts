/** `npm run check`: everything that can be known without running the code. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { buildAll } from './all.ts';
import { useTarball } from './consumer.ts';
import { formatAssembly } from './format-assembly.ts';
import { runNpm, runTool, type ToolOutput } from './tool.ts';

let failed = false;

async function step(name: string, run: () => Promise<ToolOutput>): Promise<void> {
  const started = performance.now();
  const output = await run().catch((error: Error) => ({ failed: true, text: error.message }));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${output.failed ? 'FAILED' : 'ok    '} ${name}  (${seconds} s)`);
  if (!output.failed) return;
  failed = true;
  console.log(output.text.trimEnd().replace(/^/gm, '    '));
}

const folder = await mkdtemp(join(tmpdir(), 'overlapped-check-'));
let tarball = '';

// The build type-checks assembly/, with asc.
await step('build', async () => {
  await buildAll({ bundles: true, declarations: true });
  return { failed: false, text: '' };
});
await step('biome', () => runTool('biome', ['check', '--error-on-warnings', '--colors=off', '.']));
await step('format of assembly/', async () => {
  const wrong = await formatAssembly({ write: false });
  return { failed: wrong.length > 0, text: `run \`npm run format\` for ${wrong.join(', ')}` };
});
await step('tsc', () => runTool('tsc', ['-p', 'tsconfig.json', '--pretty', 'false']));
await step('npm pack', async () => {
  const output = await runNpm(['pack', '--ignore-scripts', '--pack-destination', folder]);
  tarball = join(folder, (await readdir(folder))[0] ?? '');
  return output;
});
await step('publint', () => runTool('publint', ['run', '--strict', tarball]));
await step('attw', () => {
  const options = ['--profile', 'esm-only', '--no-definitely-typed', '--format', 'ascii'];
  // Not a module: bytes for those who load the core themselves.
  return runTool('attw', [tarball, ...options, '--exclude-entrypoints', 'core.wasm']);
});

await step('consumer', () => useTarball(tarball, folder));

await rm(folder, { recursive: true, force: true });
console.log(failed ? 'check failed' : 'check passed');
if (failed) process.exitCode = 1;
