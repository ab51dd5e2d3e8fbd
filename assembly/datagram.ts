/** Datagram sockets (R18): several receives pending, one chunk of the arena for each datagram to send. */
import { arenaAlloc } from './arena';
import { invariant } from './debug';
import {
  ADDRESS_BYTES,
  Connection,
  ERROR_CLOSED,
  ERROR_NO_BUFFERS,
  NOTHING,
  OPERATION_RECEIVE_FROM,
  OPERATION_SEND_TO,
  Operation,
  Port,
  Profile,
  SEND_CHUNK_HEADER,
  STATE_ENDING,
  STATE_HELD,
  STATE_PAUSED,
  SendChunk,
  Worker,
} from './layout';
import { operationBegin, submissionRoom, submit } from './operation';
import { poolAcquire, poolAddress, poolRelease } from './pool';
import { connectionAt, operationAt, portOf } from './records';
import { freeSentChunks, queued, sendable } from './send-queue';

/**
 * Room for one datagram: an Address record, then `length` bytes, which the host
 * writes before any other call; `datagramQueued` then queues it. Returns the
 * address of the Address record, or a negative error (nothing queued).
 */
export function datagramRoom(workerPointer: usize, slot: i32, length: u32): i32 {
  const port = portOf(changetype<Worker>(workerPointer));
  const connection = connectionAt(port, slot);
  if (!sendable(connection)) return ERROR_CLOSED;
  const bytes = ADDRESS_BYTES + length;
  const profile = changetype<Profile>(connection.profile);
  if (<u64>connection.queuedBytes + <u64>bytes > <u64>profile.maxQueuedBytes) {
    return ERROR_NO_BUFFERS;
  }
  const block = arenaAlloc(port.arena, SEND_CHUNK_HEADER + bytes);
  if (block == 0) return ERROR_NO_BUFFERS;
  const chunk = changetype<SendChunk>(block);
  chunk.next = 0;
  chunk.submitted = block + SEND_CHUNK_HEADER;
  chunk.end = chunk.submitted + bytes;
  chunk.limit = chunk.end;
  chunk.pending = 0;
  chunk.first = 0;
  chunk.buffer = NOTHING;
  if (connection.queueTail != 0) changetype<SendChunk>(connection.queueTail).next = block;
  else connection.queueHead = block;
  connection.queueTail = block;
  if (connection.queueSubmit == 0) connection.queueSubmit = block;
  connection.queuedBytes += bytes;
  return <i32>chunk.submitted;
}

/** 1, or 0 if the caller should wait for DRAIN. */
export function datagramQueued(workerPointer: usize, slot: i32): i32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  connection.messagesSent += 1;
  return queued(worker, slot, connection, changetype<Profile>(connection.profile));
}

export function advanceDatagram(worker: Worker, slot: i32, connection: Connection): bool {
  const port = portOf(worker);
  const profile = changetype<Profile>(connection.profile);
  while (connection.queueSubmit != 0 && connection.sends < profile.sendDepth) {
    const chunk = changetype<SendChunk>(connection.queueSubmit);
    if (chunk.submitted == chunk.end) {
      connection.queueSubmit = chunk.next;
      continue;
    }
    if (!submissionRoom(worker, 1)) return false;
    const operationSlot = operationBegin(port, OPERATION_SEND_TO, slot);
    if (operationSlot < 0) return false;
    const operation = operationAt(port, operationSlot);
    operation.sequence = connection.writeSequence++;
    operation.chunk = connection.queueSubmit;
    operation.offset = <u32>chunk.submitted;
    operation.length = <u32>(chunk.end - chunk.submitted);
    chunk.submitted = chunk.end;
    chunk.pending++;
    connection.sends++;
    submitOperation(worker, connection, operation, operationSlot);
  }
  const holds = STATE_ENDING | STATE_PAUSED | STATE_HELD;
  while (connection.receives < profile.receiveDepth && (connection.state & holds) == 0) {
    if (!submissionRoom(worker, 1)) return false;
    const buffer = poolAcquire(port.buffers);
    if (buffer < 0) {
      port.starved += 1;
      return false;
    }
    const operationSlot = operationBegin(port, OPERATION_RECEIVE_FROM, slot);
    if (operationSlot < 0) {
      poolRelease(port.buffers, buffer);
      return false;
    }
    const operation = operationAt(port, operationSlot);
    operation.sequence = connection.readSequence++;
    operation.buffer = buffer;
    operation.offset = <u32>poolAddress(port.buffers, buffer);
    operation.length = profile.receiveBytes;
    connection.receives++;
    submitOperation(worker, connection, operation, operationSlot);
  }
  return true;
}

function submitOperation(
  worker: Worker,
  connection: Connection,
  operation: Operation,
  slot: i32,
): void {
  submit(
    worker,
    operation.kind,
    connection.handle,
    operation.token,
    slot,
    operation.offset,
    operation.length,
    0,
  );
}

/** The system is done with a datagram, sent or not: its chunk is freed once those before it are. */
export function datagramSent(port: Port, connection: Connection, operation: Operation): void {
  connection.queuedBytes -= operation.length;
  const sent = changetype<SendChunk>(operation.chunk);
  invariant(sent.pending == 1);
  sent.pending = 0;
  freeSentChunks(port, connection);
}
