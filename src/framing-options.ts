/** Checks options and says what is wrong with them: which one, what was given, what is allowed. */
import { OverlappedError } from './errors.ts';

/** Options as a caller gives them: all may be left out, or be undefined. */
export type OptionsOf<T> = { readonly [K in keyof T]?: T[K] | undefined };

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value)
      ? 'an array'
      : `an object of ${value.constructor?.name ?? 'no class'}`;
  }
  return String(value);
}

export function invalidOption(name: string, given: unknown, allowed: string): OverlappedError {
  return new OverlappedError(
    'INVALID_OPTION',
    `${name}: ${show(given)} was given, allowed is ${allowed}`,
  );
}

/** Refuses anything but an object, and names that are not options: a typing error would pass unseen. */
export function checkOptions(of: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidOption(`the options of ${of}`, options, 'an object');
  }
  for (const name of Object.keys(options)) {
    if (!names.includes(name))
      throw invalidOption(`${of}.${name}`, (options as never)[name], names.join(', '));
  }
}

/** An integer from `least` to `most`; `fallback` where it was left out. */
export function integerOption<K extends string>(
  options: { readonly [name in K]?: number | undefined },
  name: K,
  least: number,
  most: number,
  fallback?: number,
): number {
  const value = options[name] ?? fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  throw invalidOption(name, options[name], `an integer from ${least} to ${most}`);
}

/** One of `allowed`; `fallback` where it was left out. */
export function optionOf<K extends string, T extends string | number | boolean>(
  options: { readonly [name in K]?: NoInfer<T> | undefined },
  name: K,
  allowed: readonly T[],
  fallback?: NoInfer<T>,
): T {
  const value = options[name] ?? fallback;
  if (value !== undefined && allowed.includes(value)) return value;
  throw invalidOption(name, options[name], allowed.map(show).join(', '));
}
