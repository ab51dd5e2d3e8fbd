/** Collects what one suite did in one host. */
import { parseEvent } from './support/events.ts';

export interface Failure {
  readonly title: string;
  readonly text: string;
}

const ESCAPE = String.fromCharCode(27);
const COLOUR = new RegExp(`${ESCAPE}\\[[0-9;]*m`, 'g');
/** uvu's own progress: a dot a test, a count a file. */
const PROGRESS = /^\s*[•✘ ]*\s*(\(\d+ \/ \d+\))?\s*$/;
const DIGEST = /DIGEST (\S+) ([0-9a-f]+)\s*$/;
const OUTPUT_LINES_MAX = 200;
const LINE_LENGTH_MAX = 1000;

/** A counterexample may be a megabyte of zeros; its seed is enough to see it again. */
function shorten(line: string): string {
  if (line.length <= LINE_LENGTH_MAX) return line;
  return `${line.slice(0, LINE_LENGTH_MAX)}… (${line.length} characters)`;
}

export class SuiteReport {
  passed = 0;
  skipped = 0;
  readonly failures: Failure[] = [];
  /** Digests by name: tests of several variants may print the same name. */
  readonly digests: (readonly [name: string, hex: string])[] = [];
  ended = false;

  private readonly running = new Map<number, string>();
  private lastStarted = '(none)';
  private output: string[] = [];

  /** Takes one line of the host's output. */
  line(text: string): void {
    const event = parseEvent(text);
    if (event === undefined) {
      this.ordinaryLine(text.replace(COLOUR, ''));
    } else if (event.type === 'start') {
      this.lastStarted = `${event.file} › ${event.name}`;
      this.running.set(event.id, this.lastStarted);
      this.output = [];
    } else if (event.type === 'pass') {
      this.running.delete(event.id);
      this.passed++;
    } else if (event.type === 'fail') {
      const title = this.running.get(event.id) ?? '(unknown test)';
      this.running.delete(event.id);
      this.fail(title, event.error.replace(COLOUR, ''));
    } else if (event.type === 'skip') {
      this.skipped++;
    } else {
      this.ended = true;
    }
  }

  private ordinaryLine(text: string): void {
    if (PROGRESS.test(text)) return;
    const digest = DIGEST.exec(text);
    if (digest !== null) this.digests.push([digest[1] as string, digest[2] as string]);
    else if (this.output.length < OUTPUT_LINES_MAX) this.output.push(text);
  }

  /** Records a failure with the output since the last test began. */
  fail(title: string, text: string): void {
    const lines = [text, ...this.output].join('\n').split('\n');
    this.failures.push({ title, text: lines.map(shorten).join('\n') });
    this.output = [];
  }

  /** Records that the host did not get to the end. */
  broke(reason: string): void {
    const title = this.running.values().next().value ?? this.lastStarted;
    this.running.clear();
    this.fail(title, `${reason}; the last test started was ${this.lastStarted}`);
  }
}

/** One failure for each name whose digests are not all the same (R26). */
export function compareDigests(
  reports: readonly { readonly host: string; readonly report: SuiteReport }[],
): Failure[] {
  const byName = new Map<string, Map<string, Set<string>>>();
  for (const { host, report } of reports) {
    for (const [name, hex] of report.digests) {
      const hosts = byName.get(name) ?? new Map<string, Set<string>>();
      byName.set(name, hosts.set(hex, (hosts.get(hex) ?? new Set()).add(host)));
    }
  }
  return [...byName]
    .filter(([, digests]) => digests.size > 1)
    .map(([name, digests]) => ({
      title: `digest ${name} differs`,
      text: [...digests].map(([hex, hosts]) => `${hex} in ${[...hosts].join(', ')}`).join('\n'),
    }));
}
