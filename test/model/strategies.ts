/** Who goes on at a pause. */
import type { Random } from './random.ts';

export interface Strategy {
  readonly name: string;
  /** Before a schedule of `count` fibres. */
  begin(count: number, random: Random): void;
  /** One of `candidates` (fibre numbers, never empty); `current` is -1 or who paused. */
  choose(candidates: readonly number[], current: number): number;
  /** The fibre has nothing to do until others have gone on. */
  yields(fibre: number): void;
}

/** How many of 16 pauses are passed over, in turn: switches at all, half, few of them. */
const STICKINESS = [0, 8, 13, 15];

/** Any fibre that can go on, or the same one for a while. */
export class RandomWalk implements Strategy {
  readonly name = 'random';
  #random: Random | undefined;
  #stickiness = 0;

  begin(_count: number, random: Random): void {
    this.#random = random;
    this.#stickiness = STICKINESS[random.below(STICKINESS.length)] as number;
  }

  choose(candidates: readonly number[], current: number): number {
    const random = this.#random as Random;
    const stays = this.#stickiness > 0 && random.below(16) < this.#stickiness;
    if (stays && candidates.includes(current)) return current;
    return candidates[random.below(candidates.length)] as number;
  }

  yields(): void {}
}

/** Most changes of priority in a schedule. */
const CHANGES_MAX = 4;
/** How long a schedule may be is drawn too: its seed alone must lead to it, not what went before. */
const STEPS_LOG2_MIN = 4;
const STEPS_LOG2_MAX = 9;

/**
 * Few preemptions, at random places: each fibre has a priority and the highest
 * goes on; at up to four pauses the one that runs falls below all others
 * (Burckhardt and others: A Randomized Scheduler with Probabilistic Guarantees
 * of Finding Bugs, 2010).
 */
export class BoundedPreemption implements Strategy {
  readonly name = 'bounded';
  #priorities: number[] = [];
  #lowest = 0;
  #step = 0;
  readonly #changes = new Set<number>();

  begin(count: number, random: Random): void {
    this.#priorities = Array.from({ length: count }, (_, fibre) => fibre);
    for (let i = count - 1; i > 0; i--) {
      const other = random.below(i + 1);
      const mine = this.#priorities[i] as number;
      this.#priorities[i] = this.#priorities[other] as number;
      this.#priorities[other] = mine;
    }
    this.#lowest = 0;
    this.#step = 0;
    this.#changes.clear();
    const changes = random.below(CHANGES_MAX + 1);
    const steps = 2 ** (STEPS_LOG2_MIN + random.below(STEPS_LOG2_MAX - STEPS_LOG2_MIN + 1));
    for (let i = 0; i < changes; i++) this.#changes.add(1 + random.below(steps));
  }

  choose(candidates: readonly number[], current: number): number {
    this.#step++;
    if (current >= 0 && this.#changes.has(this.#step)) this.yields(current);
    let best = candidates[0] as number;
    for (const candidate of candidates) {
      if ((this.#priorities[candidate] as number) > (this.#priorities[best] as number)) {
        best = candidate;
      }
    }
    return best;
  }

  yields(fibre: number): void {
    this.#priorities[fibre] = --this.#lowest;
  }
}
