/** The threads of the sender experiment (R17): those that send, and in the simulation the server. */
import { Lock } from '../core/lock.ts';
import { Sequencer } from '../core/sequencer.ts';
import { type SharedSocketBackend, sharedSockets } from '../registry.ts';
import type { Stage } from './board.ts';
import { type PacketPlan, writePacket } from './packet.ts';
import { PacketValidator, type Validation } from './validator.ts';

export interface SenderTask {
  readonly backend: SharedSocketBackend;
  readonly handle: unknown;
  /** Address of the socket's lock; 0: none is taken. */
  readonly lock: number;
  /** Address of the list: a sequencer whose numbers are the packets'. */
  readonly list: number;
  readonly plan: PacketPlan;
  /** This thread's room for a packet. */
  readonly buffer: number;
}

export interface SenderResult {
  readonly packets: number;
}

const ROOM_WAIT_MS = 0.2;

/** Takes packets from the list and sends them, until the list is empty. */
export async function runSender({ core, board }: Stage, task: SenderTask) {
  const { backend, handle, plan, buffer } = task;
  const socket = (await sharedSockets(backend)).attach(core, handle, false);
  const list = Sequencer.attach(core, task.list);
  const lock = task.lock === 0 ? undefined : Lock.attach(core, task.lock);

  /** The loop of the documents: advance by what was sent, send the rest. */
  const sendAll = (size: number): void => {
    let sent = 0;
    while (sent < size && !board.stopped) {
      const taken = socket.send(buffer + sent, size - sent);
      sent += taken;
      if (sent === size) break;
      if (taken > 0) board.count('partial');
      else {
        board.count('waits');
        board.sleep(ROOM_WAIT_MS);
      }
    }
  };
  return (): SenderResult => {
    let packets = 0;
    while (!board.stopped) {
      const number = list.take();
      if (number >= plan.packets) break;
      const size = writePacket(core.u8, buffer, plan, number);
      lock?.acquire();
      try {
        board.watched(() => sendAll(size));
      } finally {
        lock?.release();
      }
      packets++;
      board.count('checked');
    }
    return { packets };
  };
}

export interface SinkTask {
  readonly backend: SharedSocketBackend;
  readonly handle: unknown;
  readonly plan: PacketPlan;
  readonly buffer: number;
  readonly bufferBytes: number;
}

/** Receives to the end and validates. */
export async function runSink({ core, board }: Stage, task: SinkTask) {
  const { backend, handle, plan, buffer, bufferBytes } = task;
  const socket = (await sharedSockets(backend)).attach(core, handle, true);
  const validator = new PacketValidator(plan);
  return (): Validation => {
    while (!board.stopped) {
      socket.receive(0, buffer, bufferBytes);
      const received = socket.dequeue(0);
      if (received === undefined || received.bytes < 0) continue;
      if (received.bytes === 0) break;
      validator.push(core.u8.subarray(buffer, buffer + received.bytes));
    }
    return validator.end();
  };
}
