/**
 * Formats assembly/ with Biome, whose parser does not know decorators on
 * functions: they go through it as comments of the same length.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { listFiles, writeIfChanged } from './files.ts';
import { toolPath } from './tool.ts';

const DECORATOR = /^( *)@(inline|noinline|unmanaged|final|global|lazy)$/gm;
const MASKED = /^( *)\/\/@(inline|noinline|unmanaged|final|global|lazy)$/gm;

async function format(path: string, source: string): Promise<string> {
  const biome = toolPath('biome');
  const argv = ['format', `--stdin-file-path=${path.replace('assembly/', 'assembly-masked/')}`];
  const child = spawn(biome, argv, { shell: process.platform === 'win32' });
  const exited = once(child, 'exit');
  child.stdin.end(source.replace(DECORATOR, '$1//@$2'));
  const [formatted, messages] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await exited;
  if (code !== 0) throw new Error(`${path}: ${messages}`);
  return formatted.replace(MASKED, '$1@$2');
}

/** Paths in assembly/ whose format is not Biome's; with `write` they are rewritten. */
export async function formatAssembly({ write }: { readonly write: boolean }): Promise<string[]> {
  const wrong: string[] = [];
  for (const path of await listFiles('assembly')) {
    if (!path.endsWith('.ts')) continue;
    const source = await readFile(path, 'utf8');
    const formatted = await format(path, source);
    if (formatted === source) continue;
    wrong.push(path);
    if (write) await writeIfChanged(path, formatted);
  }
  return wrong;
}
