/** Results whose every text wants to be more than text. */
import type { BenchmarkResult } from '../../bench/report/model.ts';

/** Leaves an attribute, starts elements, ends a CDATA section, breaks XML, turns the direction. */
export const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(2)>'&amp;]]>\u0000\u202e\ud800`;

/** The result with `text` behind every text that a page may show. */
export function hostile(result: BenchmarkResult, text: string): BenchmarkResult {
  const fixed = ['format', 'kind', 'role', 'better', 'verdict', 'startedAt'];
  const change = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') return fixed.includes(key) ? value : value + text;
    if (Array.isArray(value)) return value.map((item) => change(item, key));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => {
        const isName = key === 'labels' || key === 'figures';
        return [isName ? name + text : name, change(item, name)];
      }),
    );
  };
  const changed = change(result, '') as BenchmarkResult;
  // A kind of note is of a closed set too.
  const notes = changed.notes.map((note, index) => ({ ...note, kind: result.notes[index]!.kind }));
  return { ...changed, notes };
}
