/** The threads of the receive experiment (R16): those that receive, and in the simulation the one that sends. */
import { Lock } from '../core/lock.ts';
import { type SharedSocketBackend, sharedSockets } from '../registry.ts';
import type { Stage } from './board.ts';
import { checkPattern, fillPattern } from './pattern.ts';
import { Random } from './random.ts';

export interface ReceiverTask {
  readonly backend: SharedSocketBackend;
  readonly handle: unknown;
  /** Address of the socket's lock; 0: none is taken. */
  readonly lock: number;
  /** Its receives: slots from this one on, each with a buffer. */
  readonly firstSlot: number;
  readonly receives: number;
  readonly buffers: number;
  readonly bufferBytes: number;
  readonly max: number;
  /** Slices that all threads check together. */
  readonly slices: number;
}

/** A slice that does not count up by one. */
export interface CorruptSlice {
  readonly bytes: number;
  /** Where it breaks off. */
  readonly at: number;
  /** The bytes around that place. */
  readonly around: readonly number[];
}

export interface ReceiverResult {
  readonly slices: number;
  readonly corrupt: number;
  readonly bytes: number;
  readonly examples: readonly CorruptSlice[];
}

const WAIT_MS = 20;
const EXAMPLES = 2;
const AROUND = 4;

/** Issues its receives, checks whatever completes, and issues that again. */
export async function runReceiver({ core, board }: Stage, task: ReceiverTask) {
  const { backend, handle, firstSlot, receives, buffers, bufferBytes, max } = task;
  const socket = (await sharedSockets(backend)).attach(core, handle, false);
  const lock = task.lock === 0 ? undefined : Lock.attach(core, task.lock);
  const call = (slot: number) => socket.receive(slot, buffers + slot * bufferBytes, bufferBytes);
  const issue = (slot: number): void => {
    lock?.acquire();
    try {
      board.watched(() => call(slot));
    } finally {
      lock?.release();
    }
  };
  return (): ReceiverResult => {
    const result = { slices: 0, corrupt: 0, bytes: 0, examples: [] as CorruptSlice[] };
    for (let i = 0; i < receives && !board.stopped; i++) issue(firstSlot + i);
    while (!board.stopped) {
      const received = socket.dequeue(WAIT_MS);
      if (received === undefined) continue;
      const { slot, bytes } = received;
      if (bytes === 0) throw new Error('the stream ended');
      if (bytes > 0) {
        const start = buffers + slot * bufferBytes;
        const at = checkPattern(core.u8, start, start + bytes, max);
        result.slices++;
        result.bytes += bytes;
        if (at < start + bytes) {
          result.corrupt++;
          board.count('wrong');
          if (result.examples.length < EXAMPLES) {
            const around = core.u8.slice(Math.max(at - AROUND, start), at + AROUND);
            result.examples.push({ bytes, at: at - start, around: [...around] });
          }
        }
        if (board.count('checked') >= task.slices) board.stop();
      }
      if (!board.stopped) issue(slot);
    }
    return result;
  };
}

export interface SourceTask {
  readonly backend: SharedSocketBackend;
  readonly handle: unknown;
  readonly buffer: number;
  readonly bufferBytes: number;
  readonly max: number;
  readonly seed: number;
}

const ROOM_WAIT_MS = 0.2;

/** Sends the stream, in pieces of any size, until the experiment is over. */
export async function runSource({ core, board }: Stage, task: SourceTask) {
  const { backend, handle, buffer, bufferBytes, max } = task;
  const socket = (await sharedSockets(backend)).attach(core, handle, true);
  const random = new Random(task.seed);
  return (): { readonly bytes: number } => {
    let next = 0;
    let total = 0;
    while (!board.stopped) {
      const bytes = random.integer(1, bufferBytes);
      const after = fillPattern(core.u8, buffer, buffer + bytes, next, max);
      let sent = 0;
      while (sent < bytes && !board.stopped) {
        const taken = socket.send(buffer + sent, bytes - sent);
        if (taken === 0) board.sleep(ROOM_WAIT_MS);
        sent += taken;
      }
      next = after;
      total += sent;
    }
    return { bytes: total };
  };
}
