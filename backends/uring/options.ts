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
   * (Linux 6.10). `'page'`: the same, so small that a page each will do (from 6.5
   * on); what does not fit takes further calls. `'mapped'`: in the kernel's, and
   * entries are copied to and from there. Default: the first that the kernel grants.
   */
  readonly rings?: RingPlace;
  /**
   * Work that completes operations is done only as the rings are entered for it,
   * some at a time (Linux 6.1). Default true; false is for tests of what Linux 6.0 does.
   */
  readonly deferWork?: boolean;
  /**
   * For a thread that does nothing but `wait`, in the kernel. Such a port does not
   * go by a host's event loop. Default false.
   */
  readonly blocking?: boolean;
  /**
   * Sends of so many bytes and more are not copied by the kernel (Linux 6.0, TCP);
   * they take longer to complete, and their memory is locked until then. 0, the
   * default: all are copied, which is faster on one machine, whatever their size.
   */
  readonly zeroCopyBytes?: number;
  /** Passes of the event loop that find nothing before it sleeps. Default 20. */
  readonly idlePasses?: number;
}

export interface CheckedOptions {
  readonly entries: number;
  readonly completionEntries: number;
  readonly providedBuffers: number;
  readonly multishot: boolean;
  readonly rings: RingPlace | undefined;
  readonly deferWork: boolean;
  readonly blocking: boolean;
  readonly zeroCopyBytes: number;
  readonly idlePasses: number;
}

/** The best first. */
export const RING_PLACES: readonly RingPlace[] = ['own', 'page', 'mapped'];
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
    deferWork: options.deferWork ?? true,
    blocking: options.blocking ?? false,
    zeroCopyBytes: integer('zeroCopyBytes', 0, 0, 2 ** 30),
    idlePasses: integer('idlePasses', 20, 0, 1_000_000),
  };
}

function powerAbove(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}
