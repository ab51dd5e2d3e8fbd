import type { FibreMachine } from '../fibres.ts';

export interface Scenario {
  readonly name: string;
  /** Spawns the fibres on a machine that was reset; returns the check of what they leave. */
  prepare(machine: FibreMachine): () => void;
}
