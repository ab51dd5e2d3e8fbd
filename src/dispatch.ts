/** Hands a turn's events to connections, listeners and datagram sockets. */
import * as layout from '#generated/layout';
import { type BatchGroup, BatchRunner } from './batch.ts';
import type { Entity } from './entity.ts';
import type { Port } from './port.ts';

const EVENT_WORDS = layout.EVENT_BYTES / 4;

export class Dispatcher {
  readonly #port: Port;
  readonly #batch: BatchRunner;
  /** The batch group of all connections so far, null where they differ. */
  #onlyGroup: BatchGroup | null | undefined;

  constructor(port: Port) {
    this.#port = port;
    this.#batch = new BatchRunner(port);
  }

  /**
   * A connection's messages go to this group; without one, to its own handler.
   * Once there have been two groups all count as mixed.
   */
  noteGroup(group: BatchGroup | undefined): void {
    if (this.#onlyGroup === undefined) this.#onlyGroup = group ?? null;
    else if (this.#onlyGroup !== group) this.#onlyGroup = null;
  }

  /** The first `count` events of the ring. */
  dispatch(count: number): void {
    const { core, regions, entities } = this.#port;
    const { u32, i32 } = core;
    const first = regions.events >>> 2;
    for (let index = 0; index < count; ) {
      const word = first + index * EVENT_WORDS;
      const kind = u32[word] as number;
      const slot = i32[word + 1] as number;
      let entity = entities[slot];
      if (entity === undefined && kind === layout.EVENT_OPEN) entity = this.#adopt(slot);
      if (entity === undefined) {
        index++;
      } else if (kind === layout.EVENT_MESSAGE && entity.batchGroup !== undefined) {
        const group = entity.batchGroup;
        // Nothing but messages, all for one group: the usual turn needs no look at each event.
        const known = index === 0 && this.#isUniform(group) ? count : index;
        index = this.#batch.run(group, index, known, count);
      } else {
        entity.handle(kind, u32[word + 2] as number, u32[word + 3] as number);
        index++;
      }
    }
  }

  /** True if all events of this turn are messages for `group`. */
  #isUniform(group: BatchGroup): boolean {
    const { core, regions, share } = this.#port;
    if (this.#onlyGroup !== group || share !== undefined) return false;
    return core.u32[(regions.worker + layout.Worker.others) >>> 2] === 0;
  }

  /** A connection was accepted: its listener makes an object for it. */
  #adopt(slot: number): Entity | undefined {
    const { core, regions, entities } = this.#port;
    const record = this.#port.recordOf(slot);
    const token = core.f64[(record + layout.Connection.listenerToken) >>> 3] as number;
    const listener = core.exports.poolCheck(regions.connections, token);
    const entity = listener < 0 ? undefined : entities[listener];
    if (entity?.adopt !== undefined) return entity.adopt(slot);
    core.exports.connectionAbort(regions.worker, slot, layout.ERROR_ABORTED);
    return undefined;
  }
}
