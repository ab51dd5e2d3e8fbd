/** Numbers and names as people read them, and text that is safe to put into a page. */
import type { Figure, HostVersion } from './model.ts';

/**
 * Controls, halves of surrogate pairs and marks that turn the direction of writing: no name
 * needs them, and they break XML or show something other than what is there.
 */
const UNSHOWABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** The same text with each unshowable character replaced. */
export function showable(text: string): string {
  return text.replace(UNSHOWABLE, '\ufffd');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for an element's content or a quoted attribute's value. */
export function escapeText(text: string): string {
  return showable(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Three or four digits that count, thousands apart; very large or small ones with a power. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 1e9 || size < 0.001) {
    const [digits, power] = value.toExponential(2).split('e');
    return `${digits} × 10^${Number(power)}`;
  }
  const decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
  const rounded = size >= 10_000 ? Number(value.toPrecision(4)) : value;
  return rounded.toLocaleString('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}

/** For an axis: short, without digits that say nothing. */
export function formatTick(value: number, unit = ''): string {
  if (unit === 'B') return formatBytes(value);
  if (Math.abs(value) >= 100_000) {
    for (const [factor, suffix] of [
      [1e9, ' G'],
      [1e6, ' M'],
      [1e3, ' k'],
    ] as const) {
      if (Math.abs(value) >= factor) return `${Number((value / factor).toPrecision(3))}${suffix}`;
    }
  }
  return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

export function formatBytes(bytes: number): string {
  for (const [factor, unit] of [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ] as const) {
    if (bytes >= factor) return `${Number((bytes / factor).toPrecision(3))} ${unit}`;
  }
  return `${bytes} B`;
}

/** How many times better: two decimals, so that 0.98 and 1.02 are told apart. */
export function formatRatio(value: number): string {
  const text = value < 0.0995 ? value.toPrecision(2) : value.toFixed(2);
  return `${value >= 9.995 ? formatNumber(value) : text} ×`;
}

/** `12.3 (11.9–14.0)` */
export function formatFigure(figure: Figure): string {
  return `${formatNumber(figure.median)} (${formatRange(figure)})`;
}

export function formatRange({ least, greatest }: Figure): string {
  return `${formatNumber(least)}–${formatNumber(greatest)}`;
}

/** `90 s`, `12 min` */
export function formatDuration(seconds: number): string {
  return seconds < 100 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

/** The way a shell would have it typed. */
export function formatCommand(command: readonly string[]): string {
  return command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

export function formatHosts(hosts: readonly HostVersion[]): string {
  return hosts.map(({ name, version }) => `${name} ${version}`).join(', ');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
