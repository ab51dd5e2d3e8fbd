/**
 * `npm test`: builds, bundles each suite and runs it in each host.
 *
 *   npm test -- --host node --suite core --file reorder --verbose
 *
 * `--host` and `--suite` may be given several times; `--file` takes test
 * files whose path contains the text. `--jobs` is how many suites run at once:
 * by default as many as there are processors, at most 4.
 */
import { readdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildAll } from '../build/all.ts';
import { isAlive } from '../build/files.ts';
import { bundleSuite, findTests, SUITES } from './bundle.ts';
import { bun } from './hosts/bun.ts';
import { chromium } from './hosts/chromium.ts';
import { deno } from './hosts/deno.ts';
import type { Host, SuiteName } from './hosts/host.ts';
import { node } from './hosts/node.ts';
import { WINDOWS_HOSTS } from './hosts/windows.ts';
import { compareDigests, type Failure, SuiteReport } from './report.ts';

/** On Windows `node` and `bun` are the thing itself. */
const HOSTS: readonly Host[] = [
  ...[node, bun, deno, chromium],
  ...(process.platform === 'linux' ? WINDOWS_HOSTS : []),
];
/** Only against a suite that hangs: four times what it takes on two processors that do nothing else. */
const LIMIT_MS: Readonly<Record<SuiteName, number>> = {
  core: 240_000,
  threads: 240_000,
  workers: 600_000,
  host: 600_000,
  windows: 420_000,
  examples: 300_000,
  cli: 660_000,
  bench: 300_000,
  model: 420_000,
};
/** Suites that start the package's own bundles. */
const RUN_THE_PACKAGE: ReadonlySet<SuiteName> = new Set(['examples', 'cli', 'bench', 'windows']);
/** How long a host may live after its last test: longer means that something was left open. */
const EXIT_GRACE_MS = 30_000;

const { values } = parseArgs({
  options: {
    host: { type: 'string', multiple: true },
    suite: { type: 'string', multiple: true },
    file: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    jobs: { type: 'string' },
    'limit-ms': { type: 'string' },
  },
});

function choose<T>(kind: string, all: readonly T[], wanted: string[] | undefined): readonly T[] {
  const nameOf = (item: T) => (typeof item === 'string' ? item : (item as Host).name);
  const unknown = wanted?.filter((name) => !all.some((item) => nameOf(item) === name)) ?? [];
  if (unknown.length > 0) {
    console.error(
      `no such ${kind}: ${unknown.join(', ')}; there are ${all.map(nameOf).join(', ')}`,
    );
    process.exit(2);
  }
  return wanted === undefined ? all : all.filter((item) => wanted.includes(nameOf(item)));
}

function printFailures(failures: readonly Failure[]): void {
  for (const { title, text } of failures) {
    console.log(`  FAILED ${title}\n${text.replace(/^/gm, '    ')}`);
  }
}

async function runSuite(
  host: Host,
  program: string,
  suite: SuiteName,
  bundle: { folder: string; entry: string },
): Promise<SuiteReport> {
  const report = new SuiteReport();
  const abort = new AbortController();
  const limitMs = Number(values['limit-ms'] ?? LIMIT_MS[suite] * (host.slowness ?? 1));
  let reason = '';
  const stop = (text: string) => {
    reason = text;
    abort.abort();
  };
  const limit = setTimeout(() => stop(`not done after ${limitMs} ms`), limitMs);
  let grace: NodeJS.Timeout | undefined;
  const line = (text: string) => {
    if (values.verbose) console.log(`    ${text}`);
    report.line(text);
    if (!report.ended || grace !== undefined) return;
    const left = `still running ${EXIT_GRACE_MS} ms after its last test: something is left open`;
    grace = setTimeout(() => stop(left), EXIT_GRACE_MS);
  };
  const options = { ...bundle, line, signal: abort.signal };
  const { exit } = await host.run(program, options).catch((error: unknown) => ({
    exit: `an error of the runner: ${error instanceof Error ? error.message : error}`,
  }));
  clearTimeout(limit);
  clearTimeout(grace);
  if (reason !== '') report.broke(reason);
  else if (exit !== 0) report.broke(`the host ended with ${exit}`);
  else if (!report.ended) report.broke('the host ended before the tests did');
  return report;
}

const jobsAtOnce = Math.trunc(Number(values.jobs ?? Math.min(availableParallelism(), 4)));
const hosts = choose('host', HOSTS, values.host);
const suites = choose('suite', SUITES, values.suite);
const isCi = process.env.CI === 'true';

const runFolder = `dist/test/${process.pid}`;
const failures: Failure[] = [];
const reports: { host: string; report: SuiteReport }[] = [];

let packageBuild: Promise<void> | undefined;

function buildPackage(): Promise<void> {
  packageBuild ??= buildAll({ bundles: true, declarations: false });
  return packageBuild;
}

/** One suite in one host. */
interface Job {
  readonly host: Host;
  readonly program: string;
  readonly suite: SuiteName;
  readonly bundle: { readonly folder: string; readonly entry: string };
}

/** Takes jobs from the front until none is left. */
async function work(jobs: Job[]): Promise<void> {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    const { host, program, suite, bundle } = job;
    const started = performance.now();
    const report = await runSuite(host, program, suite, bundle);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const counts = [
      `${report.passed} passed`,
      `${report.failures.length} failed`,
      ...(report.skipped > 0 ? [`${report.skipped} skipped`] : []),
    ];
    console.log(`${host.name.padEnd(14)} ${suite.padEnd(9)} ${counts.join(', ')}  (${seconds} s)`);
    printFailures(report.failures);
    reports.push({ host: `${host.name} (${suite})`, report });
  }
}

/** Takes those out that cannot be prepared. */
async function prepareHosts(programs: Map<Host, string>): Promise<void> {
  const preparing = [...programs].map(async ([host, program]) => {
    if (!suites.some((suite) => host.suites.includes(suite))) return;
    try {
      await host.prepare?.(program);
    } catch (error) {
      programs.delete(host);
      const text = error instanceof Error ? error.message : String(error);
      const failure = { title: `preparing the host ${host.name}`, text };
      failures.push(failure);
      printFailures([failure]);
    }
  });
  await Promise.all(preparing);
}

async function main(): Promise<void> {
  const tests = new Map<SuiteName, string[]>();
  for (const suite of suites) tests.set(suite, await findTests(suite, values.file));

  await buildAll({ bundles: false, declarations: false });

  const programs = new Map<Host, string>();
  for (const host of hosts) {
    const program = await host.find();
    if (program !== undefined) programs.set(host, program);
    else {
      console.log(`${host.name.padEnd(14)} is not installed: ${host.install}`);
      if (isCi || values.host !== undefined) {
        failures.push({ title: `host ${host.name}`, text: `not installed: ${host.install}` });
      }
    }
  }

  await prepareHosts(programs);

  const jobs: Job[] = [];
  for (const [suite, files] of tests) {
    if (files.length === 0) {
      if (values.file === undefined) console.log(`${' '.repeat(14)} ${suite}: no test files`);
      continue;
    }
    const folder = `${runFolder}/${suite}`;
    let entry: string;
    try {
      if (RUN_THE_PACKAGE.has(suite)) await buildPackage();
      entry = await bundleSuite(suite, files, folder);
    } catch (error) {
      // With esbuild's own words.
      const text = error instanceof Error ? error.message : String(error);
      const failure = { title: `bundle of the suite ${suite}`, text };
      failures.push(failure);
      printFailures([failure]);
      continue;
    }
    for (const [host, program] of programs) {
      if (host.suites.includes(suite))
        jobs.push({ host, program, suite, bundle: { folder, entry } });
    }
  }
  // The longest first, so that no core is left with all of it at the end.
  jobs.sort((a, b) => LIMIT_MS[b.suite] - LIMIT_MS[a.suite]);
  await Promise.all(Array.from({ length: Math.max(1, jobsAtOnce) }, () => work(jobs)));

  const digests = compareDigests(reports);
  const names = new Set(reports.flatMap(({ report }) => report.digests.map(([name]) => name)));
  if (names.size > 0) {
    const hostCount = reports.filter(({ report }) => report.digests.length > 0).length;
    console.log(
      `${'digests'.padEnd(14)} ${names.size} names, ${hostCount} hosts, ${digests.length} differ`,
    );
  }
  printFailures(digests);
  failures.push(...digests);
}

/** Bundles of runs that were killed. */
async function removeStaleRuns(): Promise<void> {
  for (const name of await readdir('dist/test').catch(() => [])) {
    const stale = !isAlive(Number(name));
    if (stale) await rm(`dist/test/${name}`, { recursive: true, force: true });
  }
}

// So that the exit handlers run, which end the hosts.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

try {
  await removeStaleRuns();
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  failures.push({ title: 'build', text: '' });
}
await rm(runFolder, { recursive: true, force: true });
await sleep(0);

const passed = reports.reduce((sum, { report }) => sum + report.passed, 0);
const skipped = reports.reduce((sum, { report }) => sum + report.skipped, 0);
const failed = reports.reduce((sum, { report }) => sum + report.failures.length, failures.length);
if (passed + failed === 0) {
  console.error('no test matches');
  process.exitCode = 2;
} else if (failed > 0) {
  process.exitCode = 1;
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
