/** `overlapped bench micro`: measures the core in every host that is here, and joins the results. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import type { BenchmarkResult, Machine, Note } from '../report/model.ts';
import type { Allocation } from './allocation.ts';
import type { MicroCase } from './case.ts';
import { CASES } from './cases/index.ts';
import { chromiumHost } from './hosts/chromium.ts';
import { bundleFolder, type FoundHost, type Host } from './hosts/host.ts';
import { PROCESS_HOSTS } from './hosts/process.ts';
import { WINE_HOSTS } from './hosts/wine.ts';
import type { CaseResult, Effort } from './measure.ts';
import { type Compiled, compileKernels } from './native.ts';
import type { Report, Settings } from './protocol.ts';
import { type HostResult, resultOf } from './result.ts';

export const HOSTS: readonly Host[] = [...PROCESS_HOSTS, chromiumHost, ...WINE_HOSTS];

/** A host that is silent for so long hangs. */
const SILENCE_LIMIT_MS = 120_000;
const FULL: Effort = { rounds: 11, sampleMs: 8 };
const QUICK: Effort = { rounds: 5, sampleMs: 1 };

/** What was asked for cannot be. */
export class MicroOptionError extends Error {}

export interface MicroOptions {
  readonly quick: boolean;
  /** Names of hosts; `all` for those that are here, empty for Node alone. */
  readonly hosts: readonly string[];
  /** Cases whose id or title contains it. */
  readonly filter: string;
  readonly json: string | undefined;
  readonly report: string | undefined;
  readonly packageVersion: string;
  readonly command: readonly string[];
  /** Told of each step, for a line of progress. */
  readonly progress: (text: string) => void;
}

export interface MicroOutcome {
  readonly result: BenchmarkResult;
  readonly failed: boolean;
}

interface Chosen {
  readonly name: string;
  readonly found: FoundHost;
}

/** The hosts that are here, and notes about those that are not. */
async function chooseHosts(names: readonly string[]): Promise<{ hosts: Chosen[]; notes: Note[] }> {
  const known = HOSTS.map(({ name }) => name);
  const unknown = names.filter((name) => name !== 'all' && !known.includes(name));
  if (unknown.length > 0) {
    throw new MicroOptionError(
      `--hosts: no host ${unknown.join(', ')}; there are all, ${known.join(', ')}`,
    );
  }
  const all = names.includes('all');
  const wanted = HOSTS.filter(({ name }) =>
    names.length === 0 ? name === 'node' : all || names.includes(name),
  );
  const hosts: Chosen[] = [];
  const notes: Note[] = [];
  for (const { name, install, find } of wanted) {
    const found = await find();
    if (found !== undefined) hosts.push({ name, found });
    else if (all) notes.push({ kind: 'left out', subject: name, text: install });
    else throw new MicroOptionError(`${name} is not here: ${install}`);
  }
  return { hosts, notes };
}

function chooseCases({ quick, filter }: MicroOptions, hostCount: number): MicroCase[] {
  const words = filter.toLowerCase();
  const chosen = CASES.filter(({ id, title }) =>
    [id, title].some((text) => text.toLowerCase().includes(words)),
  );
  if (chosen.length === 0) {
    throw new MicroOptionError(`--filter: no case has '${filter}' in its name; see --list`);
  }
  if (!quick) return chosen;
  // Several hosts share the minute.
  const fewer = chosen.filter((item) => (hostCount > 1 ? item.essential : item.quick !== false));
  return fewer.length > 0 ? fewer : chosen;
}

/** Runs one host; a hang ends it. */
async function runHost(
  { name, found }: Chosen,
  settings: Settings,
  onLine: (line: Report) => void,
): Promise<void> {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = 'its start';
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), SILENCE_LIMIT_MS);
  };
  watch();
  try {
    await found.run(
      settings,
      (line) => {
        watch();
        if (line.type === 'begin') last = line.id;
        onLine(line);
      },
      abort.signal,
    );
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    throw new Error(`${name} was silent for ${SILENCE_LIMIT_MS / 1000} s after ${last}`);
  } finally {
    clearTimeout(timer);
  }
}

async function measureHost(
  host: Chosen,
  cases: readonly MicroCase[],
  effort: Effort,
  native: string | undefined,
  progress: (text: string) => void,
): Promise<HostResult> {
  const measured = new Map<string, CaseResult>();
  const errors = new Map<string, string>();
  let version = 'unknown';
  let begun = 0;
  const settings: Settings = {
    effort,
    cases: cases.map(({ id }) => id),
    ...(native !== undefined && host.found.native ? { native } : {}),
  };
  await runHost(host, settings, (line) => {
    if (line.type === 'host') version = line.version;
    else if (line.type === 'begin')
      progress(`${host.name} ${version}: ${++begun} of ${cases.length}, ${line.id}`);
    else if (line.type === 'case') measured.set(line.id, line);
    else if (line.type === 'error') errors.set(line.id, line.text);
  });
  return { name: host.name, version, cases: measured, errors };
}

/** The release core in the bundles tells builds apart. */
function buildOf(): string {
  const core = join(bundleFolder(), 'core.wasm');
  if (!existsSync(core)) return 'bundle';
  const digest = createHash('sha256').update(readFileSync(core)).digest('hex');
  return `bundle, core ${digest.slice(0, 12)}`;
}

function machineOf(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    os: type(),
    kernel: release(),
  };
}

/**
 * @throws MicroOptionError for options that cannot be; Error where a program in C does not compile
 */
export async function runMicro(options: MicroOptions): Promise<MicroOutcome> {
  const startedAt = new Date();
  const { hosts, notes } = await chooseHosts(options.hosts);
  const cases = chooseCases(options, hosts.length);
  const compiled = await compileKernels();
  const program: Compiled | undefined = 'program' in compiled ? compiled : undefined;
  if ('missing' in compiled) {
    notes.push({ kind: 'left out', subject: 'gcc -O3', text: compiled.missing });
  }
  const effort = options.quick ? { ...QUICK, rounds: hosts.length > 1 ? 3 : QUICK.rounds } : FULL;
  const results: HostResult[] = [];
  for (const host of hosts) {
    if (program !== undefined && !host.found.native) {
      const text = 'programs in C are compared outside of Wine only';
      notes.push({ kind: 'left out', subject: `gcc -O3 beside ${host.name}`, text });
    }
    try {
      results.push(await measureHost(host, cases, effort, program?.program, options.progress));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      notes.push({ kind: 'failed', subject: host.name, text });
    }
  }
  const outcome = resultOf(cases, results, {
    packageVersion: options.packageVersion,
    build: buildOf(),
    startedAt,
    durationSeconds: (Date.now() - startedAt.getTime()) / 1000,
    command: options.command,
    machine: machineOf(),
    ...(program === undefined ? {} : { compiler: program.compiler }),
    notes,
  });
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify(outcome.result, undefined, 1)}\n`);
  }
  if (options.report !== undefined) {
    const { writeReport } = await import('../report/index.ts');
    await writeReport([outcome.result], options.report);
  }
  return outcome;
}

/** What the batch path allocates over `messages` messages, in Node. */
export async function runAllocation(messages: number): Promise<Allocation> {
  const { hosts } = await chooseHosts(['node']);
  const host = hosts[0] as Chosen;
  let allocation: Allocation | undefined;
  const settings = { effort: QUICK, cases: [], allocationMessages: messages };
  await runHost(host, settings, (line) => {
    if (line.type === 'allocation') allocation = line;
  });
  if (allocation === undefined) throw new Error('node did not report what was allocated');
  return allocation;
}
