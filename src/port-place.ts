/** Where a port works: in the program's thread, in a worker of its own, or as one part of a port that threads share. */
import type { Port } from './port.ts';
import type { OpeningPlace } from './port-opening.ts';
import type { PortShare } from './port-share.ts';

/** @internal */
export interface PortPlace extends OpeningPlace {
  /** Added to the tokens of its connections: their `id`s differ from those of other threads. */
  readonly idBase: number;
  /** When the present turn began by `Date.now()`, 0 between turns. */
  readonly watch: Float64Array | undefined;
  /** The port is shared: this thread's part. Called once, by the port's constructor. */
  readonly share?: (port: Port) => PortShare;
}

export const THIS_THREAD: PortPlace = { idBase: 0, isBlocking: false, watch: undefined };
