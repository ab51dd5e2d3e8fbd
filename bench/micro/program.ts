/**
 * What runs inside a host: takes settings, measures, and reports in lines of
 * JSON. The same file for Node, Bun, Deno and, in a worker of a page, browsers.
 */
import { measureAllocation } from './allocation.ts';
import type { NativeWork } from './case.ts';
import { CASES } from './cases/index.ts';
import { type Checked, measureCase, type NativeProgram } from './measure.ts';
import type { Report, Settings } from './protocol.ts';

function hostVersion(): { name: string; version: string } {
  const { Bun, Deno } = globalThis as {
    Bun?: { version: string };
    Deno?: { version: { deno: string } };
  };
  if (Bun !== undefined) return { name: 'bun', version: Bun.version };
  if (Deno !== undefined) return { name: 'deno', version: Deno.version.deno };
  if (typeof process !== 'undefined') return { name: 'node', version: process.versions.node };
  const chromium = /(?:Headless)?Chrome\/([\d.]+)/.exec(navigator.userAgent)?.[1];
  return { name: 'chromium', version: chromium ?? 'unknown' };
}

/** Measures what `settings` ask for. */
export async function runProgram(
  settings: Settings,
  report: (line: Report) => void,
  native: NativeProgram | undefined,
): Promise<void> {
  report({ type: 'host', ...hostVersion() });
  if (settings.allocationMessages !== undefined) {
    report({ type: 'allocation', ...(await measureAllocation(settings.allocationMessages)) });
    return;
  }
  const chosen = new Set(settings.cases);
  for (const microCase of CASES) {
    if (!chosen.has(microCase.id)) continue;
    report({ type: 'begin', id: microCase.id });
    try {
      report({ type: 'case', ...(await measureCase(microCase, settings.effort, native)) });
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      report({ type: 'error', id: microCase.id, text });
    }
  }
  report({ type: 'end' });
}

/** In a page there are no pipes: the page's server passes questions on. */
class FetchedKernels implements NativeProgram {
  async open({ kernel, numbers, input }: NativeWork): Promise<Checked> {
    const query = `kernel=${kernel}&numbers=${numbers.join(',')}`;
    return await this.#ask(`/open?${query}`, input.slice().buffer);
  }
  async run(passes: number): Promise<{ ns: number; units: number }> {
    return await this.#ask(`/run?passes=${passes}`);
  }
  async #ask<T>(path: string, body?: ArrayBuffer): Promise<T> {
    const response = await fetch(path, { method: 'POST', ...(body && { body }) });
    if (!response.ok) throw new Error(`the program in C: ${await response.text()}`);
    return (await response.json()) as T;
  }
}

/** For the worker of a page: see hosts/chromium.ts. */
export async function runInPage(settings: Settings): Promise<void> {
  const report = (line: Report) => {
    // Synchronously: lines stay in order, and a case that hangs is known by name.
    const request = new XMLHttpRequest();
    request.open('POST', '/line', false);
    request.send(JSON.stringify(line));
  };
  const native = settings.native === undefined ? undefined : new FetchedKernels();
  await runProgram(settings, report, native);
}

async function runInProcess(): Promise<void> {
  const { readFile } = await import('node:fs/promises');
  const settings = JSON.parse(await readFile(process.argv[2] as string, 'utf8')) as Settings;
  const report = (line: Report) => console.log(`@${JSON.stringify(line)}`);
  let kernels: ({ close(): void } & NativeProgram) | undefined;
  if (settings.native !== undefined) {
    const { Kernels } = await import('./native.ts');
    kernels = new Kernels(settings.native);
  }
  try {
    await runProgram(settings, report, kernels);
  } finally {
    kernels?.close();
  }
  // Ports without a system behind them, and threads that wait, would go on for ever.
  process.exit(0);
}

if (typeof process !== 'undefined' && process.argv[3] === 'run-micro') await runInProcess();
