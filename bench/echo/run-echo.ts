/** `overlapped bench echo`: runs, prints and writes. */
import { runGrowth } from '../growth/growth.ts';
import { type EchoBenchOptions, prepare } from './bench.ts';
import { obstacle, SERVERS } from './catalogue.ts';
import { findLoad } from './measure.ts';
import { writeFiles } from './output.ts';
import { printCurves, printEcho, printMachine, printNotes } from './screen.ts';
import { runTable } from './table.ts';

export { EchoOptionError } from './bench.ts';

export function listServers(unavailable: Readonly<Record<string, string>>): void {
  const { kind } = findLoad();
  for (const [name, { title }] of Object.entries(SERVERS)) {
    const why = obstacle(name, unavailable, kind);
    console.log(`${name.padEnd(34)} ${why === undefined ? title : `left out: ${why}`}`);
  }
}

/** Returns whether every server answered every byte. */
export async function runEchoBench(options: EchoBenchOptions): Promise<boolean> {
  const bench = prepare(options);
  const result = options.growth ? await runGrowth(bench) : await runTable(bench);
  printMachine(result);
  if (options.growth) {
    printCurves(result);
    printNotes(result);
  } else printEcho(result);
  await writeFiles(result, options);
  return !result.notes.some(({ kind }) => kind === 'failed');
}
