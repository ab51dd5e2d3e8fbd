/**
 * What fibres do. A fibre's body is a generator: what a worker's JavaScript
 * does, up to the next thing that another thread may see. It yields calls of
 * the core, pauses of its own, and conditions to wait for.
 */
import type { CoreExports } from '#generated/exports';

export type Action =
  | { readonly call: keyof CoreExports; readonly values: readonly number[] }
  | { readonly pause: string }
  | { readonly until: () => boolean; readonly what: string }
  | { readonly givesWay: string };

/** Yields actions; is given the result of each call, 0 otherwise. */
export type Body = Generator<Action, void, number>;

/** The end of a schedule that must not end so. */
export class Violation extends Error {}

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Violation(message);
}

export const call = (name: keyof CoreExports, ...values: number[]): Action => ({
  call: name,
  values,
});
export const pause = (what: string): Action => ({ pause: what });
export const until = (what: string, condition: () => boolean): Action => ({
  until: condition,
  what,
});
/** Nothing to do until another one has gone on: what a loop that only looks must yield. */
export const giveWay = (what: string): Action => ({ givesWay: what });
