/**
 * Results of a key go to the threads that dispatched it in the order of the
 * key, although those are several: the next result is handed to another thread
 * only when the one before has said that it is done with the last of its own.
 * Nobody waits for it: a result whose turn has not come is kept here.
 */
import type { PoolKey } from './lane.ts';

interface Waiting<Holder> {
  readonly holder: Holder;
  readonly give: (isCanceled: boolean) => void;
}

interface Turn<Holder> {
  /** Who was given the last result. */
  holder: Holder;
  /** Results that it was given and has not said it is done with. */
  unsaid: number;
  readonly waiting: Waiting<Holder>[];
}

export class Turns<Holder> {
  readonly #byKey = new Map<PoolKey, Turn<Holder>>();
  /** Results that wait for their turn. */
  held = 0;

  /** Calls `give` when it is the holder's turn: now, or later. */
  hand(key: PoolKey, holder: Holder, give: (isCanceled: boolean) => void): void {
    let turn = this.#byKey.get(key);
    if (turn === undefined) {
      turn = { holder, unsaid: 0, waiting: [] };
      this.#byKey.set(key, turn);
    } else if (turn.waiting.length > 0 || turn.holder !== holder) {
      turn.waiting.push({ holder, give });
      this.held++;
      return;
    }
    turn.unsaid++;
    give(false);
  }

  /** The holder is done with one result of the key. */
  said(key: PoolKey, holder: Holder): void {
    const turn = this.#byKey.get(key);
    if (turn === undefined || turn.holder !== holder) return;
    turn.unsaid--;
    if (turn.unsaid === 0) this.#pass(key, turn);
  }

  /** The holder is no more: what it was to get is given up, and nobody waits for what it says. */
  drop(gone: Holder): void {
    for (const [key, turn] of this.#byKey) {
      const kept = turn.waiting.filter(({ holder }) => holder !== gone);
      if (kept.length < turn.waiting.length) {
        const dropped = turn.waiting.filter(({ holder }) => holder === gone);
        turn.waiting.splice(0, turn.waiting.length, ...kept);
        this.held -= dropped.length;
        for (const { give } of dropped) give(true);
      }
      if (turn.holder === gone) this.#pass(key, turn);
    }
  }

  /** Gives up what waits; how much there was. */
  cancel(): number {
    let count = 0;
    for (const turn of this.#byKey.values()) {
      for (const { give } of turn.waiting.splice(0)) {
        give(true);
        count++;
      }
    }
    this.held = 0;
    return count;
  }

  /** Gives the next holder all of its results that follow each other. */
  #pass(key: PoolKey, turn: Turn<Holder>): void {
    turn.unsaid = 0;
    const { waiting } = turn;
    const next = waiting[0];
    if (next === undefined) {
      this.#byKey.delete(key);
      return;
    }
    turn.holder = next.holder;
    let end = waiting.findIndex(({ holder }) => holder !== next.holder);
    if (end < 0) end = waiting.length;
    this.held -= end;
    turn.unsaid = end;
    for (const { give } of waiting.splice(0, end)) give(false);
  }
}
