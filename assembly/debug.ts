/** Invariants: checked in debug builds, absent from release builds. */

/**
 * Traps in a debug build where `condition` is false.
 *
 * The build removes every statement `invariant(…);` before it compiles a
 * release, arguments included: a compiler cannot drop the loads in them by
 * itself, because a load might trap. So a condition must not have effects,
 * and a call must be a statement of its own.
 */
// @ts-ignore: decorator
@inline
export function invariant(condition: bool): void {
  if (!condition) unreachable();
}
