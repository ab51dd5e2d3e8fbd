/** Where a result goes: the screen, a JSON file, a page. */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { checkResult } from '../report/check.ts';
import type { BenchmarkResult } from '../report/model.ts';

export interface OutputFiles {
  readonly json?: string | undefined;
  readonly report?: string | undefined;
}

/** @throws TypeError for a result that is none, or the system's error for a file */
export async function writeFiles(result: BenchmarkResult, files: OutputFiles): Promise<void> {
  checkResult(result);
  if (files.json) writeFileSync(files.json, `${JSON.stringify(result, undefined, 2)}\n`);
  if (!files.report) return;
  // With a charting library, that only this needs.
  const { writeReport } = await import('../report/index.ts');
  await writeReport([result], files.report);
}

/** How far a run is: one line that changes on a terminal, else a line now and then. */
export class RunProgress {
  /** When this part of the run began. */
  #started = performance.now();
  #told = this.#started;
  #done = 0;

  show(done: number, all: number, text: string): void {
    const { isTTY } = process.stderr;
    const now = performance.now();
    // The next part takes another time a step.
    if (done < this.#done) this.#started = now;
    this.#done = done;
    if (!isTTY && now - this.#told < NOW_AND_THEN_MS) return;
    this.#told = now;
    const left =
      done === 0 ? '' : `, ${minutes(((now - this.#started) / done) * (all - done))} left`;
    const line = `${done}/${all}${left}  ${text}`;
    process.stderr.write(isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}

const NOW_AND_THEN_MS = 15_000;
const SECONDS_WORTH_MINUTES = 100;

/** A time that is to come, for people. */
export function minutes(ms: number): string {
  const seconds = ms / 1000;
  return seconds < SECONDS_WORTH_MINUTES
    ? `${Math.ceil(seconds)} s`
    : `${Math.ceil(seconds / 60)} min`;
}
