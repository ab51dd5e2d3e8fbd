/**
 * Uses the packed package as a program outside of this repository would:
 * every entry is imported in Node, and its declarations are type-checked
 * without skipping libraries.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { runTool, type ToolOutput } from './tool.ts';

const TSCONFIG = {
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    moduleResolution: 'nodenext',
    lib: ['ES2023', 'ESNext.Disposable', 'DOM'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
  },
  files: ['consumer.ts'],
};

export async function useTarball(tarball: string, folder: string): Promise<ToolOutput> {
  const project = join(folder, 'consumer');
  const modules = join(project, 'node_modules');
  const target = join(modules, 'overlapped');
  await mkdir(target, { recursive: true });
  await promisify(execFile)('tar', ['-xzf', tarball, '-C', target, '--strip-components=1']);
  for (const name of ['msgpackr', 'koffi', '@types']) {
    await symlink(resolve('node_modules', name), join(modules, name), 'junction');
  }

  const manifest = JSON.parse(await readFile(join(target, 'package.json'), 'utf8'));
  const entries = Object.entries(manifest.exports as Record<string, unknown>)
    .filter(([, target]) => typeof target === 'object')
    .map(([subpath]) => `overlapped${subpath.slice(1)}`);
  const lines = entries.map((entry, i) => `import * as entry${i} from '${entry}';`);
  const list = entries.map((_, i) => `entry${i}`).join(', ');
  const program = [...lines, `for (const entry of [${list}]) console.log(Object.keys(entry));`];
  await writeFile(join(project, 'package.json'), '{ "type": "module" }');
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  for (const name of ['consumer.ts', 'consumer.js']) {
    await writeFile(join(project, name), `${program.join('\n')}\n`);
  }

  const types = await runTool('tsc', ['-p', project, '--pretty', 'false']);
  if (types.failed) return types;
  const run = promisify(execFile)(process.execPath, [join(project, 'consumer.js')]);
  return await run.then(
    ({ stdout }) => ({ failed: false, text: stdout }),
    (error) => ({ failed: true, text: String(error.stderr ?? error) }),
  );
}
