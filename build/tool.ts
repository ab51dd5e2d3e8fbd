/** Runs the programs that the build does not call through an API. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

export interface ToolOutput {
  readonly failed: boolean;
  readonly text: string;
}

const isWindows = process.platform === 'win32';

async function runProgram(program: string, argv: readonly string[]): Promise<ToolOutput> {
  const options = { shell: isWindows, maxBuffer: 2 ** 26 };
  return await promisify(execFile)(program, [...argv], options).then(
    ({ stdout, stderr }) => ({ failed: false, text: stdout + stderr }),
    (error) => ({ failed: true, text: `${error.stdout ?? ''}${error.stderr ?? error}` }),
  );
}

/** Where a package of node_modules installs its program. */
export function toolPath(name: string): string {
  return join('node_modules', '.bin', isWindows ? `${name}.cmd` : name);
}

export async function runTool(name: string, argv: readonly string[]): Promise<ToolOutput> {
  return await runProgram(toolPath(name), argv);
}

export async function runNpm(argv: readonly string[]): Promise<ToolOutput> {
  return await runProgram(isWindows ? 'npm.cmd' : 'npm', argv);
}
