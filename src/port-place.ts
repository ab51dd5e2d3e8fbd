/** Where a port works: in the program's thread, in a worker of its own, or as one part of a port that threads share. */
import type { SharingSizes } from './core/regions.ts';
import type { Entity } from './entity.ts';

/** @internal */
export interface PortPlace {
  /** Added to the tokens of its connections: their `id`s differ from those of other threads. */
  readonly idBase: number;
  /** It is driven by `waitAndTurn`, not by the host's event loop. */
  readonly isBlocking: boolean;
  /** When the present turn began by `Date.now()`, 0 between turns. */
  readonly watch: Float64Array | undefined;
  /** The port is shared: how many workers, and locks. */
  readonly sharing?: SharingSizes | undefined;
}

/** @internal What one thread's part of a shared port has besides. */
export interface PortSharing {
  /** In a worker: makes the object of a connection that it has not met; the event's kind. */
  readonly adopt?: (slot: number, kind: number) => Entity;
  /** A connection has a time limit now: the I/O thread is to look. */
  askForSweeps(): void;
  /** In the I/O thread: whether any connection still has one. */
  keepsSweeping(): boolean;
}

export const THIS_THREAD: PortPlace = { idBase: 0, isBlocking: false, watch: undefined };
