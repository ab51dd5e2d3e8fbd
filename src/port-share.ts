/** What a port does besides where several threads work on it: see workers/io/port-part.ts. */
import type { ConnectionOrigin, ConnectionState } from './connection-state.ts';

/** @internal One thread's part of a port that threads share. */
export interface PortShare {
  /** Time limits are looked at by another thread, which has to be asked. */
  readonly sweepsElsewhere: boolean;
  /** A connection has a time limit now. */
  askForSweeps(): void;
  /** In the thread that looks: whether any connection still has a limit. */
  keepsSweeping(): boolean;
  /** What connections of this port are made with. */
  stateOf<Message>(origin: ConnectionOrigin<Message>): ConnectionState<Message>;
  /** Events are about to be dispatched, perhaps of connections that another thread had before. */
  meet(count: number): void;
  /** They have been dispatched. */
  dispatched(count: number): void;
  /** Something may lie in the ring of submissions, or be due there: `submitRing` empties it. */
  submit(submitRing: () => void): void;
  /** All is submitted: gives up the connections that need nothing more. */
  release(submitRing: () => void): void;
}
