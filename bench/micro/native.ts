/** The kernels in C: compiled at first use, and driven over a pipe. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { KERNEL_SOURCES } from '#generated/micro-kernels';
import type { NativeWork } from './case.ts';
import type { Checked, NativeProgram } from './measure.ts';

const COMPILERS = ['gcc', 'cc', 'clang'];
const FLAGS = ['-O3', '-pthread'];
const COMPILE_LIMIT_MS = 60_000;
/** No answer takes as long. */
const ANSWER_LIMIT_MS = 30_000;

export interface Compiled {
  readonly program: string;
  /** The compiler and its version, for people. */
  readonly compiler: string;
}

const execute = promisify(execFile);

/** The user's own folder: a program in a folder that others write to would not be ours to start. */
async function cacheFolder(): Promise<string> {
  const { XDG_CACHE_HOME: cache } = process.env;
  const wanted = join(cache || join(homedir(), '.cache'), 'overlapped', 'bench');
  try {
    await mkdir(wanted, { recursive: true, mode: 0o700 });
    return wanted;
  } catch {
    return await mkdtemp(join(tmpdir(), 'overlapped-bench-'));
  }
}

async function findCompiler(): Promise<{ name: string; version: string } | undefined> {
  const { CC } = process.env;
  for (const name of CC ? [CC] : COMPILERS) {
    const found = await execute(name, ['--version']).catch(() => undefined);
    const version = found?.stdout.split('\n')[0]?.trim();
    if (version) return { name, version };
  }
  return undefined;
}

/**
 * The program, or why there is none.
 * @throws Error where the compiler fails
 */
export async function compileKernels(): Promise<Compiled | { readonly missing: string }> {
  if (process.platform !== 'linux') return { missing: 'the loops in C use futexes of Linux' };
  const compiler = await findCompiler();
  if (compiler === undefined) {
    return { missing: 'no C compiler was found: install gcc, or name one in the variable CC' };
  }
  const sources = Object.entries(KERNEL_SOURCES);
  const hash = createHash('sha256').update(JSON.stringify([sources, FLAGS, compiler]));
  const folder = await cacheFolder();
  const program = join(folder, `kernels-${hash.digest('hex').slice(0, 16)}`);
  const compiled = { program, compiler: compiler.version };
  const known = await access(program).then(
    () => true,
    () => false,
  );
  if (known) return compiled;
  const building = await mkdtemp(join(folder, 'building-'));
  try {
    for (const [name, text] of sources) await writeFile(join(building, name), text);
    const files = sources.map(([name]) => name).filter((name) => name.endsWith('.c'));
    await execute(compiler.name, [...FLAGS, '-o', 'kernels', ...files], {
      cwd: building,
      timeout: COMPILE_LIMIT_MS,
    });
    await chmod(join(building, 'kernels'), 0o700);
    // Whole at once, should two runs build it at the same time.
    await rename(join(building, 'kernels'), program);
  } catch (cause) {
    const { stderr = '' } = cause as { stderr?: string };
    throw new Error(`${compiler.name} cannot compile the benchmark's loops: ${stderr}`, { cause });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return compiled;
}

/** The program at work. One question at a time. */
export class Kernels implements NativeProgram {
  readonly #child: ChildProcess;
  #answer: ((line: string) => void) | undefined;
  #failed: Error | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(program: string) {
    const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    const failed = (error: Error) => {
      this.#failed ??= error;
      this.#fail?.(this.#failed);
    };
    child.on('error', failed);
    child.on('exit', (code, signal) => {
      failed(new Error(`the program in C ended with ${code ?? signal}`));
    });
    child.stdin?.on('error', failed);
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => this.#answer?.(line));
    }
  }

  async open({ kernel, numbers, input }: NativeWork): Promise<Checked> {
    const line = await this.#ask(`open ${kernel} ${input.length} ${numbers.join(' ')}\n`, input);
    const [units, digest] = line.split(' ').map(Number) as [number, number];
    return { units, digest };
  }

  async run(passes: number): Promise<{ readonly ns: number; readonly units: number }> {
    const [ns, units] = (await this.#ask(`run ${passes}\n`)).split(' ').map(Number) as [
      number,
      number,
    ];
    return { ns, units };
  }

  close(): void {
    this.#child.removeAllListeners('exit');
    this.#child.stdin?.end();
    this.#child.kill();
  }

  async #ask(question: string, input?: Uint8Array): Promise<string> {
    if (this.#failed !== undefined) throw this.#failed;
    const { stdin } = this.#child;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const line = await new Promise<string>((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
      timer = setTimeout(() => reject(new Error('the program in C is silent')), ANSWER_LIMIT_MS);
      stdin?.write(question);
      if (input !== undefined && input.length > 0) stdin?.write(input);
    }).finally(() => clearTimeout(timer));
    if (line.startsWith('error')) throw new Error(`the program in C: ${line} (${question.trim()})`);
    return line;
  }
}
