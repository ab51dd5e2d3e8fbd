/**
 * The threads of the order experiment's server, as the documents have it:
 * I/O threads that take completions and posted writes from one completion
 * port, and the threads of the pool, to which packets go.
 */
import { pushSurely } from '../../backends/shared-receives.ts';
import type { SharedSocket } from '../../backends/shared-socket.ts';
import type { ReorderBuffer } from '../core/reorder-buffer.ts';
import { OverlappedError } from '../errors.ts';
import { type SharedSocketBackend, sharedSockets } from '../registry.ts';
import type { Board, Stage } from './board.ts';
import {
  JobRecord,
  type OrderHandle,
  OrderMemory,
  type OrderSwitches,
  RECEIVE_BYTES,
  ReceiveRecord,
  WriteRecord,
} from './order-memory.ts';
import { checksum } from './work.ts';

export interface OrderTask {
  readonly backend: SharedSocketBackend;
  readonly socket: unknown;
  readonly memory: OrderHandle;
  readonly switches: OrderSwitches;
}

export interface OrderThreadResult {
  /** Completions, packets or writes that it processed. */
  readonly processed: number;
}

const WAIT_MS = 10;
const ROOM_WAIT_MS = 0.2;

/** Each value in its turn, by whichever thread is there (R4); without order at once. */
function inOrder(
  store: ReorderBuffer | undefined,
  sequence: number,
  value: number,
  process: (value: number) => void,
): void {
  if (store === undefined) {
    process(value);
    return;
  }
  for (
    let next = store.getNext(sequence, value);
    next !== undefined;
    next = store.processAndGetNext()
  ) {
    process(next);
  }
}

/** An I/O thread. */
export async function runOrderIo({ core, board }: Stage, task: OrderTask) {
  const socket = (await sharedSockets(task.backend)).attach(core, task.socket, false);
  const thread = new IoThread(socket, new OrderMemory(core, task.memory), task.switches, board);
  return (): OrderThreadResult => {
    thread.issue();
    let processed = 0;
    while (!board.stopped) {
      const received = socket.dequeue(WAIT_MS);
      if (received === undefined) continue;
      processed++;
      if (received.isPosted) thread.write(received.slot);
      else thread.received(received.slot, received.bytes);
    }
    return { processed };
  };
}

class IoThread {
  readonly #socket: SharedSocket;
  readonly #memory: OrderMemory;
  readonly #switches: OrderSwitches;
  readonly #board: Board;

  constructor(socket: SharedSocket, memory: OrderMemory, switches: OrderSwitches, board: Board) {
    this.#socket = socket;
    this.#memory = memory;
    this.#switches = switches;
    this.#board = board;
  }

  /** Issues receives that are missing: number and call are one step under the lock (R2). */
  issue(): void {
    const memory = this.#memory;
    const { receives } = memory;
    while (memory.takeMissing()) {
      const slot = receives.acquire();
      if (slot === undefined) {
        memory.addMissing(1);
        return;
      }
      memory.receiveLock.run(() => {
        memory.set(receives, slot, ReceiveRecord.sequence, memory.numbers.read.take());
        this.#socket.receive(slot, memory.bufferOf(slot), RECEIVE_BYTES);
      });
    }
  }

  received(slot: number, bytes: number): void {
    const memory = this.#memory;
    const { receives } = memory;
    // The end, or cancelled: nobody issues it again.
    if (bytes <= 0) {
      receives.release(slot);
      return;
    }
    memory.set(receives, slot, ReceiveRecord.bytes, bytes);
    const { eagerRead, readOrder } = this.#switches;
    if (eagerRead) {
      memory.addMissing(1);
      this.issue();
    }
    const store = readOrder ? memory.stores.read : undefined;
    inOrder(store, memory.get(receives, slot, ReceiveRecord.sequence), slot, (next) => {
      this.#decode(next);
      receives.release(next);
      if (!eagerRead) memory.addMissing(1);
      this.issue();
    });
  }

  /** Cuts the stream into packets, and hands them to the pool. */
  #decode(slot: number): void {
    const memory = this.#memory;
    const bytes = memory.get(memory.receives, slot, ReceiveRecord.bytes);
    try {
      // With the order off two threads come here at once; the lock keeps the decoder whole, not the stream.
      memory.decodeLock.run(() =>
        memory.decoder.decode(memory.bufferOf(slot), bytes, (at, size) => this.#dispatch(at, size)),
      );
    } catch (error) {
      if (!(error instanceof OverlappedError)) throw error;
      // The connection is over, as it would be in any server.
      this.#board.count('wrong');
      this.#socket.finish();
    }
  }

  #dispatch(at: number, bytes: number): void {
    const memory = this.#memory;
    const { jobs, core } = memory;
    const job = memory.acquire(jobs);
    const address = memory.arena.alloc(bytes);
    if (address === undefined) {
      jobs.release(job);
      throw new OverlappedError('NO_BUFFERS', 'no memory is left for a packet');
    }
    core.u8.copyWithin(address, at, at + bytes);
    memory.set(jobs, job, JobRecord.address, address);
    memory.set(jobs, job, JobRecord.bytes, bytes);
    memory.set(jobs, job, JobRecord.sequence, memory.numbers.pool.take());
    pushSurely(memory.jobQueue, { token: job });
  }

  /** A write that was posted (R7). */
  write(write: number): void {
    const memory = this.#memory;
    const { writes } = memory;
    const store = this.#switches.writeOrder ? memory.stores.write : undefined;
    const sequence = memory.get(writes, write, WriteRecord.sequence);
    inOrder(store, sequence, write, (next) => this.#send(next));
  }

  #send(write: number): void {
    const memory = this.#memory;
    const { writes, jobs } = memory;
    const address = memory.get(writes, write, WriteRecord.address);
    const bytes = memory.get(writes, write, WriteRecord.bytes);
    const job = memory.get(writes, write, WriteRecord.job);
    memory.sendLock.run(() => {
      for (let sent = 0; sent < bytes && !this.#board.stopped; ) {
        const taken = this.#socket.send(address + sent, bytes - sent);
        if (taken === 0) this.#board.sleep(ROOM_WAIT_MS);
        sent += taken;
      }
    });
    writes.release(write);
    if (memory.subtract(jobs, job, JobRecord.parts, 1) > 1) return;
    memory.arena.free(memory.get(jobs, job, JobRecord.address));
    jobs.release(job);
    this.#board.count('checked');
  }
}

/** A thread of the pool: echoes packets, in one or several writes (R10). */
export async function runOrderPool({ core, board }: Stage, task: OrderTask) {
  const socket = (await sharedSockets(task.backend)).attach(core, task.socket, false);
  const memory = new OrderMemory(core, task.memory);
  const { jobs, jobQueue, writes } = memory;
  const { poolOrder, fragments } = task.switches;
  const store = poolOrder ? memory.stores.pool : undefined;

  const echo = (job: number): void => {
    const address = memory.get(jobs, job, JobRecord.address);
    const bytes = memory.get(jobs, job, JobRecord.bytes);
    memory.set(jobs, job, JobRecord.checksum, checksum(core.u8, address, bytes));
    const partBytes = Math.ceil(bytes / fragments);
    memory.set(jobs, job, JobRecord.parts, Math.ceil(bytes / partBytes));
    for (let at = 0; at < bytes; at += partBytes) {
      const write = memory.acquire(writes);
      memory.set(writes, write, WriteRecord.job, job);
      memory.set(writes, write, WriteRecord.address, address + at);
      memory.set(writes, write, WriteRecord.bytes, Math.min(partBytes, bytes - at));
      memory.set(writes, write, WriteRecord.sequence, memory.numbers.write.take());
      socket.post(write);
    }
  };
  return (): OrderThreadResult => {
    let processed = 0;
    while (!board.stopped) {
      const packet = jobQueue.popWait(WAIT_MS);
      if (packet === undefined) continue;
      processed++;
      const job = packet.token;
      inOrder(store, memory.get(jobs, job, JobRecord.sequence), job, echo);
    }
    return { processed };
  };
}
