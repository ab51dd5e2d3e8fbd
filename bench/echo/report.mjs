// @ts-check
/** Tables for people: Markdown that also reads well in a terminal. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

/**
 * `median (least–greatest)`
 * @param {{median: number, min: number, max: number}} spread
 * @param {(value: number) => string} format
 */
export function range({ median, min, max }, format) {
  return `${format(median)} (${format(min)}–${format(max)})`;
}

/**
 * Prints rows of text as a table; the first row is the heading, the first column goes left.
 * @param {readonly string[][]} rows
 */
export function printTable(rows) {
  const heading = rows[0] ?? [];
  const widths = heading.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const width = (/** @type {number} */ column) => widths[column] ?? 0;
  const line = (/** @type {string[]} */ cells) => console.log(`| ${cells.join(' | ')} |`);
  rows.forEach((row, index) => {
    line(row.map((cell, c) => (c === 0 ? cell.padEnd(width(c)) : cell.padStart(width(c)))));
    if (index === 0)
      line(widths.map((w, c) => (c === 0 ? '-'.repeat(w) : `${'-'.repeat(w - 1)}:`)));
  });
}

/**
 * First line of what a program prints about itself.
 * @param {string} program
 * @param {...string} args
 */
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

/** @param {ReturnType<typeof describeMachine>} machine */
export function printMachine({ cpu, cores, kernel, governor, node, v8 }) {
  console.log(`${cpu} × ${cores}, ${kernel}, governor ${governor}, node ${node} (V8 ${v8})`);
}

/**
 * Tells how far it is, on a terminal only.
 * @param {string} text
 */
export function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
