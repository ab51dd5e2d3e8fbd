/** Checks of options: which one is wrong, what was given, and what is allowed. */
import { OverlappedError } from './errors.ts';

export function invalidOption(name: string, given: unknown, allowed: string): OverlappedError {
  const shown = typeof given === 'string' ? JSON.stringify(given) : String(given);
  return new OverlappedError('INVALID_OPTION', `${name} is ${shown}; allowed is ${allowed}`);
}

/** `value`, or `otherwise` if it is left out. @throws OverlappedError INVALID_OPTION */
export function integerOption(
  name: string,
  value: number | undefined,
  otherwise: number,
  least: number,
  most: number,
): number {
  if (value === undefined) return otherwise;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalidOption(name, value, `a whole number from ${least} to ${most}`);
  }
  return value;
}

export function booleanOption(
  name: string,
  value: boolean | undefined,
  otherwise: boolean,
): boolean {
  if (value === undefined) return otherwise;
  if (typeof value !== 'boolean') throw invalidOption(name, value, 'true or false');
  return value;
}

export function functionOptions(options: object, names: readonly string[]): void {
  for (const name of names) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined && typeof value !== 'function') {
      throw invalidOption(name, value, 'a function');
    }
  }
}

/** @throws OverlappedError INVALID_OPTION for a name that no option has: a misspelt limit must not be silently off. */
export function knownOptions(call: string, options: object, names: ReadonlySet<string>): void {
  for (const name of Object.keys(options)) {
    if (!names.has(name)) {
      throw new OverlappedError(
        'INVALID_OPTION',
        `${call} has no option ${JSON.stringify(name)}; allowed are ${[...names].sort().join(', ')}`,
      );
    }
  }
}
