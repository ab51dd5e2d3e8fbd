/** What can be chosen of the backend `uring`. */

/** See `UringOptions.rings`. */
export type RingPlace = 'own' | 'mapped' | 'page';

export interface UringOptions {
  /** Entries of the submission ring, 2 to 32,768; a power of two, else the next one. Default 1024. */
  readonly entries?: number;
  /**
   * Entries of the completion ring, at least as many. Default 8192. What does
   * not fit waits in the kernel; nothing is lost.
   */
  readonly completionEntries?: number;
  /**
   * Most receive buffers that the kernel holds ready, a power of two from 1 to
   * 32,768. Default 1024. It begins with a few and gets more as they run out, at
   * most three quarters of the port's.
   */
  readonly providedBuffers?: number;
  /**
   * Receives and accepts that complete many times. Default true; false for a
   * kernel whose own are broken.
   */
  readonly multishot?: boolean;
  /**
   * Where the rings lie. `'own'`: in memory of ours, which the kernel is given
   * (Linux 6.10). `'mapped'`: in the kernel's, mapped over ours (up to 6.3).
   * `'page'`: as the first, and so small that a page each will do (from 6.5 on);
   * what does not fit takes further calls. Default: the first that the kernel
   * grants.
   */
  readonly rings?: RingPlace;
  /**
   * For a thread that does nothing but `wait`: work that completes operations
   * is put off until then. Such a port cannot wait in a host's event loop.
   * Default false.
   */
  readonly blocking?: boolean;
  /** Passes of the event loop that find nothing before it sleeps. Default 20. */
  readonly idlePasses?: number;
}

export interface CheckedOptions {
  readonly entries: number;
  readonly completionEntries: number;
  readonly providedBuffers: number;
  readonly multishot: boolean;
  readonly rings: RingPlace | undefined;
  readonly blocking: boolean;
  readonly idlePasses: number;
}

/** The best first. */
export const RING_PLACES: readonly RingPlace[] = ['own', 'mapped', 'page'];
const ENTRIES_MAX = 32_768;

/** @throws RangeError on an impossible option */
export function checkOptions(options: UringOptions): CheckedOptions {
  const integer = (name: keyof UringOptions, otherwise: number, least: number, most: number) => {
    const value = options[name] ?? otherwise;
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) {
      return Number(value);
    }
    throw new RangeError(`uring: ${name} is ${String(value)}; allowed is ${least} to ${most}`);
  };
  const { rings } = options;
  if (rings !== undefined && !RING_PLACES.includes(rings)) {
    throw new RangeError(`uring: rings is ${String(rings)}; allowed is ${RING_PLACES.join(', ')}`);
  }
  const entries = powerAbove(integer('entries', 1024, 2, ENTRIES_MAX));
  const least = Math.max(8192, entries);
  return {
    entries,
    completionEntries: powerAbove(integer('completionEntries', least, entries, 2 * ENTRIES_MAX)),
    providedBuffers: powerAbove(integer('providedBuffers', 1024, 1, ENTRIES_MAX)),
    multishot: options.multishot ?? true,
    rings,
    blocking: options.blocking ?? false,
    idlePasses: integer('idlePasses', 20, 0, 1_000_000),
  };
}

function powerAbove(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}
