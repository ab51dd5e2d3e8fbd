/**
 * Calls on connections that another thread has (R7). A call waits in the
 * connection's chain, in the order of the posts, until the worker that has the
 * connection, or the next one that claims it, runs it: before anything else
 * that it does with the connection, so what one thread posts and what it later
 * does itself keep their order.
 */
import { arenaAlloc, arenaFree } from '../arena';
import { atomicAdd, atomicSub } from '../atomic';
import {
  connectionAbort,
  connectionClose,
  connectionEnd,
  connectionFail,
  connectionHold,
  connectionPause,
  connectionResume,
} from '../connection/request';
import { copyBytes } from '../copy';
import { encodedBytes } from '../frame/encode';
import {
  CALL_ABORT,
  CALL_CLOSE,
  CALL_END,
  CALL_HOLD,
  CALL_PAUSE,
  CALL_SEND,
  CALL_SEND_RAW,
  Connection,
  ERROR_CLOSED,
  ERROR_NO_BUFFERS,
  ERROR_STALE_TOKEN,
  FRAMING_RAW,
  Framing,
  NOTHING,
  POSTED_CALL_HEADER,
  Port,
  PostedCall,
  Profile,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  Worker,
} from '../layout';
import { lockAcquire, lockRelease } from '../lock';
import { poolCheck } from '../pool';
import { connectionAt, portOf } from '../records';
import { send, sendRaw } from '../send';
import { sendable } from '../send-queue';
import { claimLock, poke, pokeIo, sharedOf } from '../shared-port';

/**
 * Posts a call to whoever has the connection. `payload`: address of `length`
 * bytes that are copied (CALL_SEND, CALL_SEND_RAW), or the error (CALL_ABORT).
 * @returns 1, 0 (taken, but more is not welcome), or a negative error. The
 *          caller then asks `ioWake`.
 */
export function postCall(
  workerPointer: usize,
  token: f64,
  kind: u32,
  payload: usize,
  length: u32,
): i32 {
  const port = portOf(changetype<Worker>(workerPointer));
  const slot = poolCheck(port.connections, token);
  if (slot < 0) return ERROR_STALE_TOKEN;
  const block = arenaAlloc(port.arena, POSTED_CALL_HEADER + length);
  if (block == 0) return ERROR_NO_BUFFERS;
  const call = changetype<PostedCall>(block);
  call.next = 0;
  call.kind = kind;
  call.length = length;
  call.value = <i32>payload;
  copyBytes(block + POSTED_CALL_HEADER, payload, length);
  const lock = claimLock(sharedOf(port), slot);
  lockAcquire(lock);
  const result =
    poolCheck(port.connections, token) == slot
      ? append(port, slot, connectionAt(port, slot), call)
      : ERROR_STALE_TOKEN;
  lockRelease(lock);
  if (result < 0) arenaFree(port.arena, block);
  return result;
}

/** With the connection's lock held. */
function append(port: Port, slot: i32, connection: Connection, call: PostedCall): i32 {
  const profile = changetype<Profile>(connection.profile);
  const isSend = call.kind <= CALL_SEND_RAW;
  // What another thread does to the record at this moment is seen now, or when the call runs.
  if (connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)) return ERROR_CLOSED;
  if (isSend) {
    if (!sendable(connection)) return ERROR_CLOSED;
    let bytes = <i32>call.length;
    const framing = profile.framing;
    if (call.kind == CALL_SEND && changetype<Framing>(framing).kind != FRAMING_RAW) {
      bytes = encodedBytes(framing, changetype<usize>(call) + POSTED_CALL_HEADER, call.length);
      if (bytes < 0) return bytes;
    }
    const queued = <u64>connection.queuedBytes + <u64>connection.postedBytes;
    if (queued + <u64>(<u32>bytes) > <u64>profile.maxQueuedBytes) return ERROR_NO_BUFFERS;
  }
  if (connection.owner == NOTHING) {
    if (!poke(port, connection)) return ERROR_CLOSED;
  } else if (connection.owner == 0 && connection.poked == 0) {
    // Not every connection of the I/O thread is in its list of claims.
    connection.poked = 1;
    pokeIo(sharedOf(port), connection, slot, 0);
  }
  if (connection.callsHead == 0) connection.callsHead = changetype<usize>(call);
  else changetype<PostedCall>(connection.callsTail).next = changetype<usize>(call);
  connection.callsTail = changetype<usize>(call);
  if (!isSend) return 1;
  const posted = atomicAdd<u32>(postedBytesOf(connection), call.length) + call.length;
  return connection.queuedBytes + posted <= profile.highWaterMarkBytes ? 1 : 0;
}

// @ts-ignore: decorator
@inline
function postedBytesOf(connection: Connection): usize {
  return changetype<usize>(connection) + offsetof<Connection>('postedBytes');
}

/** Runs what was posted to a connection that this worker has. */
export function runCalls(worker: Worker, slot: i32): void {
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  const lock = claimLock(sharedOf(port), slot);
  lockAcquire(lock);
  let at = connection.callsHead;
  connection.callsHead = 0;
  lockRelease(lock);
  while (at != 0) {
    const call = changetype<PostedCall>(at);
    if ((connection.state & STATE_CLOSED) == 0) run(worker, slot, connection, call);
    const next = call.next;
    arenaFree(port.arena, at);
    at = next;
  }
}

function run(worker: Worker, slot: i32, connection: Connection, call: PostedCall): void {
  const pointer = changetype<usize>(worker);
  const kind = call.kind;
  const length = call.length;
  if (kind <= CALL_SEND_RAW) {
    const payload = changetype<usize>(call) + POSTED_CALL_HEADER;
    atomicSub<u32>(postedBytesOf(connection), length);
    const result =
      kind == CALL_SEND
        ? send(pointer, slot, payload, length)
        : sendRaw(pointer, slot, payload, length);
    // It was taken from the caller: bytes missing in the middle would be worse than an end.
    if (result < 0 && result != ERROR_CLOSED) connectionFail(worker, slot, result, 0);
  } else if (kind == CALL_END) connectionEnd(pointer, slot);
  else if (kind == CALL_CLOSE) connectionClose(pointer, slot);
  else if (kind == CALL_ABORT) connectionAbort(pointer, slot, call.value);
  else if (kind == CALL_PAUSE) connectionPause(pointer, slot);
  else if (kind == CALL_HOLD) connectionHold(pointer, slot);
  else connectionResume(pointer, slot);
}

/** Calls of a connection that closed before they could run. */
export function dropCalls(port: Port, first: usize): void {
  let at = first;
  while (at != 0) {
    const next = changetype<PostedCall>(at).next;
    arenaFree(port.arena, at);
    at = next;
  }
}
