/** One run: a server of its own on one core, the load generator on another. */
import { bun, commandOf, type EchoServer, framingOf, nodeProgram, serverOf } from './catalogue.ts';
import { CompileError, compile, compilerVersion } from './compile.mjs';
import { canPin, type LoadFigures, runLoad, startServer, withFiles } from './processes.mjs';
import { loadArguments, type Workload } from './rounds.mjs';
import { echoFile, loadSource } from './where.mjs';

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;
/**
 * The generator polls for so long before it sleeps. On a virtual machine waking a sleeping core
 * costs tens of microseconds, which would hide the server's own time at one connection.
 */
const SPIN_US = 200;
/** So many connections take their time until all are served again and again. */
const WARMUP_S_A_CONNECTION = 0.00015;
/** What a server said is shown up to here: one in trouble says it for each connection. */
const SAID_LINES = 6;

export interface Load {
  readonly kind: 'c' | 'javascript';
  readonly command: readonly string[];
  /** The compiler, or why there is none. */
  readonly about: string;
}

export interface RunSettings {
  readonly seconds: number;
  readonly warmup: number;
  /** Bytes of a frame where the workload does not say. */
  readonly size: number;
}

export interface Cores {
  /** A number, or several as taskset takes them. */
  readonly server?: number | string;
  readonly load?: number;
}

/** The generator in C, or where it cannot be compiled, in JavaScript. */
export function findLoad(wanted?: 'c' | 'javascript'): Load {
  let why = 'chosen';
  if (wanted !== 'javascript') {
    try {
      return { kind: 'c', command: [compile(loadSource)], about: compilerVersion() ?? 'compiled' };
    } catch (error) {
      if (!(error instanceof CompileError) || wanted === 'c') throw error;
      why = error.message.split('\n')[0] as string;
    }
  }
  const program = nodeProgram ?? bun;
  return { kind: 'javascript', command: [program as string, echoFile('load.mjs')], about: why };
}

/** A core each, where the system can pin and has two. */
export function chooseCores(available: number): Cores {
  return canPin && available > 1 ? { server: SERVER_CORE, load: LOAD_CORE } : {};
}

/** More variables for a server than its own. */
export type ServerEnv = Readonly<Record<string, string>>;

/** Environment of a server that is to answer messages of this size. */
export function serverEnv(server: EchoServer, sizeBytes: number, more: ServerEnv = {}): ServerEnv {
  const headerBytes = String(framingOf(server, sizeBytes).headerBytes);
  return { BACKEND: server.backend ?? '', HEADER_BYTES: headerBytes, ...server.env, ...more };
}

/** Arguments of the load generator for a server at that port. */
export function loadFor(
  server: EchoServer,
  target: { readonly port: number; readonly pids: readonly number[] },
  workload: Workload,
  settings: RunSettings,
): (string | number)[] {
  const warmup = settings.warmup + workload.connections * WARMUP_S_A_CONNECTION;
  const args = loadArguments(target.port, workload, { ...settings, warmup });
  args.push('--framing', framingOf(server, workload.size ?? settings.size).framing);
  args.push('--spin', SPIN_US, ...target.pids.flatMap((pid) => ['--pid', pid]));
  // A compiled program has nothing to warm up.
  if (server.host !== undefined) args.push('--warmup-cpu', settings.warmup);
  return args;
}

/** @throws Error with what the generator saw and what the server said */
export async function measure(
  load: Load,
  name: string,
  workload: Workload,
  settings: RunSettings,
  cores: Cores,
  more?: ServerEnv,
): Promise<LoadFigures> {
  const entry = serverOf(name);
  const env = serverEnv(entry, workload.size ?? settings.size, more);
  const server = await startServer(withFiles(commandOf(name)), { core: cores.server, env });
  try {
    const target = { port: server.port, pids: [server.pid] };
    const args = loadFor(entry, target, workload, settings);
    return await runLoad([...load.command], args, { core: cores.load });
  } catch (error) {
    const said = server.errors().trim().split('\n').slice(0, SAID_LINES).join('\n');
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(said ? `${message}\n${said}` : message);
  } finally {
    await server.stop();
  }
}
