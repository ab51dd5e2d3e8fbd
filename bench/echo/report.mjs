/** Tables for people: Markdown that also reads well in a terminal. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { spread } from './statistics.mjs';

/** `median (least–greatest)` */
export function range({ median, min, max }, format) {
  return `${format(median)} (${format(min)}–${format(max)})`;
}

/** Prints rows of text as a table; the first row is the heading, the first column goes left. */
export function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (cells) => console.log(`| ${cells.join(' | ')} |`);
  rows.forEach((row, index) => {
    line(row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))));
    if (index === 0)
      line(widths.map((w, c) => (c === 0 ? '-'.repeat(w) : `${'-'.repeat(w - 1)}:`)));
  });
}

/** First line of what a program prints about itself. */
export function versionOf(program, ...args) {
  return spawnSync(program, args, { encoding: 'utf8' }).stdout?.trim().split('\n')[0];
}

/** What a figure depends on. */
export function describeMachine() {
  const governor = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor';
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    kernel: `${process.platform} ${release()}`,
    governor: existsSync(governor) ? readFileSync(governor, 'utf8').trim() : 'not reported',
    node: process.version,
    v8: process.versions.v8,
    date: new Date().toISOString(),
  };
}

export function printMachine({ cpu, cores, kernel, governor, node, v8 }) {
  console.log(`${cpu} × ${cores}, ${kernel}, governor ${governor}, node ${node} (V8 ${v8})`);
}

/** Tells how far it is, on a terminal only. */
export function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

const thousands = (value) => (value / 1000).toFixed(value < 100_000 ? 1 : 0);
const whole = (value) => value.toFixed(0);
const twoDigits = (value) => value.toFixed(2);

export function printWorkload({ workload, runs }, servers) {
  const { connections, inFlight, size } = workload;
  const frames = size === undefined ? '' : `, ${size} B a frame`;
  console.log(`\n## ${connections} connections × ${inFlight} in flight${frames}\n`);
  const heading = ['server', 'thousand messages/s', 'server CPU ns/message', 'p50 µs', 'p99 µs'];
  const rows = [[...heading, 'p99.9 µs']];
  for (const name of servers) {
    const good = runs[name].filter((run) => run !== undefined);
    if (good.length === 0) continue;
    const of = (key) => spread(good.map((run) => run[key]));
    rows.push([
      name,
      range(of('messagesPerSecond'), thousands),
      range(of('serverCpuNsPerMessage'), whole),
      ...['p50Us', 'p99Us', 'p999Us'].map((key) => whole(of(key).median)),
    ]);
  }
  printTable(rows);
}

export function printRatios(ratios) {
  if (ratios.length === 0) return;
  console.log('\n## Ratios within a round: median (least–greatest)\n');
  console.log("rate: messages/s, ours / peer. CPU: the servers' CPU time a message, peer / ours");
  console.log('(above 1: ours needs less). "?": rounds disagree, the spread hides the answer.\n');
  const rows = [['ours / peer', 'workload', 'rate', 'CPU', 'promised', 'reached']];
  for (const { ours, peer, workload, rate, cpu, bound, reached } of ratios) {
    const promised = bound === undefined ? '' : `≥ ${bound}`;
    const figures = [range(rate, twoDigits), range(cpu, twoDigits)];
    rows.push([`${ours} / ${peer}`, workload, ...figures, promised, reached]);
  }
  printTable(rows);
}

export function printFailures(failures) {
  for (const { server, workload, round, message } of failures) {
    console.log(`\nFAILED ${server} ${workload} round ${round + 1}: ${message}`);
  }
}
