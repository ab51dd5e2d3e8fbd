/** Node and Bun for Windows, in Wine on Linux. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, open, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { compilePeer } from '../peer/compile.ts';
import { abandonedFolders, temporaryFolder } from '../windows/cache.ts';
import { NODE_20, NODE_22 } from '../windows/packages.ts';
import {
  copyPrefix,
  endProcesses,
  removeServerFolder,
  wineEnvironment,
} from '../windows/prefix.ts';
import { bunProgram, koffiModules, nodeProgram, prefixTemplate } from '../windows/setup.ts';
import type { Host, RunOptions, RunResult, SuiteName } from './host.ts';
import { findProgram, start } from './process.ts';
import { FileLines } from './windows-output.ts';

const COMPILER = 'x86_64-w64-mingw32-gcc';
const INSTALL =
  'apt-get install --no-install-recommends wine wine64 gcc-mingw-w64-x86-64 (Debian on x64)';

/** The simulator knows no system, and runs in four hosts already; what it stands on is in the suite `core`. */
const SIMULATOR = ['test/backends/sim/', 'test/conformance/sim.'];
/** `net` on Windows is tested in one of the three: the others have their own backend, or the same libuv. */
const NET = ['test/backends/net/', 'test/conformance/net.', 'test/foreign/net.'];

const SUITES: readonly SuiteName[] = ['core', 'threads', 'workers', 'host', 'windows'];

/** What sets one of these hosts apart from the others. */
interface Runtime {
  readonly name: string;
  /** Arguments before the bundle. */
  readonly argv: readonly string[];
  /** Tests that it leaves out: beginnings of their paths. */
  readonly without: readonly string[];
  readonly suites?: readonly SuiteName[];
  getProgram(): Promise<string>;
}

interface Needs {
  readonly program: string;
  readonly modules: string;
  readonly prefix: string;
}

/** What several hosts need is made once in a run. */
let shared: Promise<{ modules: string; prefix: string }> | undefined;

async function makeShared(wine: string): Promise<{ modules: string; prefix: string }> {
  for (const folder of await abandonedFolders()) await removeRun(folder);
  const { stdout } = await promisify(execFile)(wine, ['--version']);
  const made = [koffiModules(), prefixTemplate(wine, stdout.trim())] as const;
  const [modules, prefix] = await Promise.all(made);
  return { modules, prefix };
}

/** Ends what still runs there and removes the folder. */
async function removeRun(folder: string): Promise<void> {
  endProcesses(join(folder, 'prefix'));
  removeServerFolder(join(folder, 'prefix'));
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Where Wine's programs find a file of ours. */
function windowsPath(path: string): string {
  return `Z:${resolve(path)}`;
}

/**
 * Copies the bundle to `folder` with the modules for Windows beside it, which
 * the repository's own would otherwise be found instead of.
 */
async function layOut(bundle: string, folder: string, modules: string): Promise<void> {
  await cp(bundle, folder, { recursive: true });
  // There is no compiler in Wine.
  await compilePeer('windows', folder);
  await mkdir(join(folder, 'node_modules'));
  // No links: Bun looks for a package's own packages where the link leads.
  for (const name of ['koffi', '@koromix']) {
    await cp(join(modules, name), join(folder, 'node_modules', name), { recursive: true });
  }
}

async function runInWine(
  { name, argv, without }: Runtime,
  wine: string,
  { folder: bundle, entry, line, signal }: RunOptions,
  needs: Needs,
): Promise<RunResult> {
  // As deep in the repository as the bundle is: its source maps are relative.
  const app = `${bundle}-${name}`;
  const folder = await temporaryFolder();
  const prefix = join(folder, 'prefix');
  const end = () => endProcesses(prefix);
  process.on('exit', end);
  signal.addEventListener('abort', end);
  try {
    await layOut(bundle, app, needs.modules);
    await copyPrefix(needs.prefix, prefix);
    const path = join(folder, 'output.txt');
    // Node for Windows ends with EBADF when its output is a pipe.
    const output = await open(path, 'a');
    const program = [needs.program, ...argv, windowsPath(join(app, entry))];
    const env = { ...wineEnvironment(prefix), OVERLAPPED_TEST_WITHOUT: without.join(',') };
    const child = start(wine, program, signal, env, output.fd);
    // What is left of it ends with it.
    const exited = once(child, 'exit').finally(end);
    await FileLines.follow(path, line, exited);
    await output.close();
    const [code, killedBy] = (await exited) as [number | null, string | null];
    return { exit: code ?? killedBy ?? 'unknown' };
  } finally {
    await removeRun(folder);
    signal.removeEventListener('abort', end);
    process.off('exit', end);
  }
}

async function findWine(): Promise<string | undefined> {
  if (process.arch !== 'x64' || (await findProgram(COMPILER)) === undefined) return undefined;
  const wine = await findProgram('wine');
  if (wine === undefined) return undefined;
  // It is a script that may find no loader: Debian's package `wine` alone is not enough.
  return await promisify(execFile)(wine, ['--version']).then(
    () => wine,
    () => undefined,
  );
}

function windowsHost(runtime: Runtime): Host {
  let needs: Needs | undefined;
  return {
    name: runtime.name,
    suites: runtime.suites ?? SUITES,
    install: INSTALL,
    slowness: 2,
    find: findWine,
    async prepare(wine) {
      shared ??= makeShared(wine);
      const [common, program] = await Promise.all([shared, runtime.getProgram()]);
      needs = { ...common, program };
    },
    async run(wine, options) {
      if (needs === undefined) throw new Error(`${runtime.name} is not prepared`);
      return await runInWine(runtime, wine, options, needs);
    },
  };
}

export const WINDOWS_HOSTS: readonly Host[] = [
  windowsHost({
    name: 'windows-node20',
    argv: ['--enable-source-maps'],
    without: SIMULATOR,
    getProgram: () => nodeProgram(NODE_20),
  }),
  windowsHost({
    name: 'windows-node22',
    argv: ['--enable-source-maps'],
    without: [...SIMULATOR, ...NET],
    // Servers with workers take minutes in Wine, and the other Node has shown them.
    suites: SUITES.filter((suite) => suite !== 'workers'),
    getProgram: () => nodeProgram(NODE_22),
  }),
  windowsHost({
    name: 'windows-bun',
    argv: ['run'],
    without: [...SIMULATOR, ...NET],
    getProgram: bunProgram,
  }),
];
