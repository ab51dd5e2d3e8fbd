/** Runs Spin on one configuration of a model: source → verifier in C → every state visited. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ModelCheck } from './models.ts';

const FOLDER = 'test/model';
/** Both below the limit of a test: what takes too long is said in words. */
const COMPILE_LIMIT_MS = 60_000;
const VERIFY_LIMIT_MS = 100_000;
/** More than this and the search stops, which is a failure: 800 MB take the largest one four times over. */
const MEMORY_LIMIT_MB = 800;
const DEPTH_MAX = 200_000;
/** The end of a counterexample that is shown. */
const TRAIL_LINES = 60;

/** Spin or gcc is not here; the message says which and what to install. */
export class SpinMissing extends Error {}

export interface ModelResult {
  /** No error, and nothing was left unvisited. */
  readonly verified: boolean;
  /** Spin's words where it found an error. */
  readonly complaint: string;
  readonly states: number;
  readonly depth: number;
  /** The steps that led to the error, the last ones. */
  readonly trail: string;
}

interface Output {
  readonly code: unknown;
  readonly text: string;
}

async function run(
  program: string,
  argv: readonly string[],
  folder: string,
  timeoutMs: number,
): Promise<Output> {
  const options = { cwd: folder, timeout: timeoutMs, maxBuffer: 2 ** 26 };
  return await promisify(execFile)(program, [...argv], options).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    (error) => ({
      code: error.killed ? 'out of time' : error.code,
      text: `${error.stdout ?? ''}${error.stderr ?? error}`,
    }),
  );
}

/** The words of an error, or what kept the search from visiting everything. */
const COMPLAINT = /^pan:\d+: (.*)|Search not completed|out of memory|max search depth too small/m;

function readReport({ code, text }: Output): Omit<ModelResult, 'trail'> {
  const errors = /errors: (\d+)/.exec(text)?.[1];
  const found = COMPLAINT.exec(text);
  const complaint = found?.[1] ?? found?.[0] ?? (errors === '0' ? '' : `${code}: ${text.trim()}`);
  return {
    verified: code === 0 && errors === '0' && complaint === '',
    complaint,
    states: Number(/(\d+) states, stored/.exec(text)?.[1] ?? 0),
    depth: Number(/depth reached (\d+)/.exec(text)?.[1] ?? 0),
  };
}

async function must(name: string, output: Promise<Output>): Promise<void> {
  const { code, text } = await output;
  if (code === 'ENOENT') throw new SpinMissing(`${name} is not installed: apt-get install ${name}`);
  if (code !== 0) throw new Error(`${name} (${code}): ${text}`);
}

/** @throws SpinMissing; Error if the model does not compile */
export async function checkModel({ model, macros, refutedBy }: ModelCheck): Promise<ModelResult> {
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-model-'));
  try {
    const source = resolve(FOLDER, model);
    const flags = macros.map((macro) => `-D${macro}`);
    await must('spin', run('spin', ['-a', ...flags, source], folder, COMPILE_LIMIT_MS));
    // A broken one is refuted early: compiling it would take longer than running it.
    const level = refutedBy === undefined ? '-O1' : '-O0';
    const options = [level, '-w', '-DSAFETY', '-DCOLLAPSE', `-DMEMLIM=${MEMORY_LIMIT_MB}`];
    await must('gcc', run('gcc', [...options, '-o', 'pan', 'pan.c'], folder, COMPILE_LIMIT_MS));
    const argv = [`-m${DEPTH_MAX}`];
    const report = readReport(await run(join(folder, 'pan'), argv, folder, VERIFY_LIMIT_MS));
    let trail = '';
    if (!report.verified) {
      const replay = ['-t', '-p', '-k', `${model}.trail`, ...flags, source];
      const { text } = await run('spin', replay, folder, COMPILE_LIMIT_MS);
      trail = text.trimEnd().split('\n').slice(-TRAIL_LINES).join('\n');
    }
    return { ...report, trail };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What is wrong with a result, in words; undefined if it is what the check asks for. */
export function judge(check: ModelCheck, result: ModelResult): string | undefined {
  if (check.refutedBy === undefined) {
    return result.verified ? undefined : `not verified: ${result.complaint}\n${result.trail}`;
  }
  if (result.verified) return 'broken on purpose, and Spin found nothing';
  if (check.refutedBy.test(result.complaint)) return undefined;
  return `refuted by "${result.complaint}" instead of ${check.refutedBy}\n${result.trail}`;
}
