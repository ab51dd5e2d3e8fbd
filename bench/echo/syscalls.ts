/**
 * System calls for a message, counted by strace in a run of its own: a traced server is too slow
 * to measure anything else. The start of the server and of its connections is taken out: two runs
 * that differ only in their length are counted, and the difference is divided by the messages
 * that the second answered more.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandOf, serverOf } from './catalogue.ts';
import { type Cores, type Load, loadFor, type RunSettings, serverEnv } from './measure.ts';
import { findProgram, runLoad, startServer, withFiles } from './processes.mjs';
import type { Workload } from './rounds.mjs';

const SHORT_WARMUP = 0.001;
const SHORT_SECONDS = 0.2;
const LONG_SECONDS = 0.8;
const SUMMARY_LIMIT_MS = 5000;
const POLL_MS = 20;

/** Calls by name. */
export type CallCounts = Readonly<Record<string, number>>;

export interface CallFigures {
  /** All calls for a message. */
  readonly callsPerMessage: number;
  /** Each call for a message, the most frequent first. */
  readonly byName: readonly (readonly [name: string, perMessage: number])[];
}

/** Why calls cannot be counted here, or undefined. */
export function tracingObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'strace is for Linux';
  if (findProgram('strace') === undefined) return 'strace is not installed';
  const { status, stderr } = spawnSync('strace', ['-f', '-c', '-o', '/dev/null', 'true'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `strace cannot trace here: ${stderr.trim().split('\n')[0]}`;
}

/** Reads the table that `strace -c` writes. */
export function parseSummary(text: string): CallCounts {
  const counts: Record<string, number> = {};
  for (const line of text.split('\n')) {
    // % time, seconds, µs a call, calls, errors or nothing, name.
    const match = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$/.exec(line);
    if (match !== null && match[2] !== 'total') counts[match[2] as string] = Number(match[1]);
  }
  return counts;
}

/** What the longer run made more, for each of its further messages. */
export function difference(
  short: { readonly calls: CallCounts; readonly messages: number },
  long: { readonly calls: CallCounts; readonly messages: number },
): CallFigures {
  const messages = long.messages - short.messages;
  if (messages <= 0) throw new Error('the longer run answered no more messages');
  const byName = Object.entries(long.calls)
    .map(
      ([name, count]) => [name, Math.max(0, count - (short.calls[name] ?? 0)) / messages] as const,
    )
    .sort((a, b) => b[1] - a[1]);
  const callsPerMessage = byName.reduce((sum, [, perMessage]) => sum + perMessage, 0);
  return { callsPerMessage, byName };
}

/** The process that strace started: it has one child. */
function tracedBy(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return Number(children[0]) || undefined;
  } catch {
    return undefined;
  }
}

async function countOnce(
  load: Load,
  name: string,
  workload: Workload,
  settings: RunSettings,
  cores: Cores,
): Promise<{ calls: CallCounts; messages: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'overlapped-calls-'));
  const file = join(folder, 'summary');
  const entry = serverOf(name);
  const env = serverEnv(entry, workload.size ?? settings.size);
  const command = ['strace', '-f', '-c', '-o', file, ...withFiles(commandOf(name))];
  const server = await startServer(command, { core: cores.server, env });
  try {
    // Only the load's own warm-up: it looks at no process.
    const target = { port: server.port, pids: [] };
    const args = loadFor(entry, target, workload, { ...settings, warmup: SHORT_WARMUP });
    const found = await runLoad([...load.command], args, { core: cores.load });
    // strace writes its table when the server has ended.
    const traced = tracedBy(server.pid);
    if (traced === undefined) throw new Error('strace has no child');
    process.kill(traced, 'SIGKILL');
    const until = performance.now() + SUMMARY_LIMIT_MS;
    for (;;) {
      const calls = parseSummary(readFileSync(file, { encoding: 'utf8', flag: 'a+' }));
      if (Object.keys(calls).length > 0) return { calls, messages: found.allMessages };
      if (performance.now() > until) throw new Error('strace wrote no summary');
      await sleep(POLL_MS);
    }
  } finally {
    const traced = tracedBy(server.pid);
    if (traced !== undefined) process.kill(traced, 'SIGKILL');
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function countCalls(
  load: Load,
  name: string,
  workload: Workload,
  settings: RunSettings,
  cores: Cores,
): Promise<CallFigures> {
  const run = (seconds: number) => countOnce(load, name, workload, { ...settings, seconds }, cores);
  return difference(await run(SHORT_SECONDS), await run(LONG_SECONDS));
}
