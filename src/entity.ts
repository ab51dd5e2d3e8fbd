/** What a port dispatches events to: a connection, a listener or a datagram socket. */
import type { BatchGroup } from './batch.ts';

export interface Entity {
  /** @internal Names it on its port; undefined where nobody asks. */
  readonly id?: number;
  /** @internal Set where messages are handed out in batches. */
  readonly batchGroup: BatchGroup | undefined;
  /** @internal Whether the port must look at it for time limits. */
  readonly hasTimeLimit: boolean;
  /** @internal One event: the kind and its two numbers (`EVENT_*`). Never throws. */
  handle(kind: number, offset: number, length: number): void;
  /** @internal Listeners: makes the object for an accepted connection, whose record is in `slot`. */
  adopt?(slot: number): Entity;
  /** Ends it in order; resolves when its record is free. */
  shutDown(): Promise<void>;
  /** Ends it at once. */
  abort(): void;
}
