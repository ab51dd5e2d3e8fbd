/**
 * The published declarations: what tsc emits, as far as it can be reached
 * from an entry of the package, with `#generated/…` and `….ts` turned into
 * relative paths that mean the same outside of this repository.
 */
import { readFile, rm } from 'node:fs/promises';
import { posix } from 'node:path';
import { listFiles, writeIfChanged } from './files.ts';
import { findDeclarationEntries } from './package.ts';
import { runTool } from './tool.ts';

const EMITTED = 'dist/.types';
const PUBLISHED = 'dist/types';
const SPECIFIER = /(\bfrom\s*|\bimport\s*\(?\s*)(['"])(#generated\/|\.{1,2}\/)([^'"]+)\2/g;

export async function emitDeclarations(): Promise<void> {
  await rm(EMITTED, { recursive: true, force: true });
  const { failed, text: messages } = await runTool('tsc', ['-p', 'build/declarations.json']);
  if (failed) throw new Error(messages);

  const queue = (await findDeclarationEntries()).map((path) => path.replace(/\.ts$/, '.d.ts'));
  const published = new Set<string>(queue);
  for (const path of queue) {
    const text = await readFile(`${EMITTED}/${path}`, 'utf8');
    const rewritten = text.replace(SPECIFIER, (_all, lead, quote, prefix, rest) => {
      const folder =
        prefix === '#generated/' ? 'dist/generated' : posix.join(posix.dirname(path), prefix);
      const target = posix.join(folder, rest.replace(/\.(ts|js)$/, ''));
      const file = `${target}.d.ts`;
      if (!published.has(file)) {
        published.add(file);
        queue.push(file);
      }
      const link = posix.relative(posix.dirname(path), target);
      return `${lead}${quote}${link.startsWith('.') ? link : `./${link}`}.js${quote}`;
    });
    if (rewritten.includes('#generated')) throw new Error(`${path} still names #generated`);
    await writeIfChanged(`${PUBLISHED}/${path}`, rewritten);
  }

  for (const path of await listFiles(PUBLISHED)) {
    if (!published.has(path.slice(PUBLISHED.length + 1))) await rm(path);
  }
  await rm(EMITTED, { recursive: true });
}
