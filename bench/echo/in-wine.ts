/** The same benchmark for Windows, in Wine: only the repository can prepare its runtimes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { nodeProgram } from './catalogue.ts';
import { echoFile } from './where.mjs';

const SCRIPT = echoFile('wine.mjs');

/** Why it cannot run here, or undefined. */
export function wineObstacle(): string | undefined {
  return existsSync(SCRIPT) ? undefined : 'bench echo --wine runs in the repository only';
}

/** Runs it with these arguments; returns its exit code. */
export async function runInWine(argv: readonly string[]): Promise<number> {
  const child = spawn(nodeProgram as string, [SCRIPT, ...argv], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}
