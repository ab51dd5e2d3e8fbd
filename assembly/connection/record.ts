/** The record of a connection, listener or datagram socket: made, numbered and opened. */
import { invariant } from '../debug';
import {
  CONNECTION_STREAM,
  CONNECTION_WINDOWS,
  Connection,
  ERROR_NO_BUFFERS,
  NOTHING,
  Port,
  Profile,
  STATE_OPEN,
  STATE_OPENING,
  STATE_TRUNCATABLE,
  Worker,
} from '../layout';
import { poolAcquire, poolCheck, poolRelease, poolToken } from '../pool';
import { connectionAt, decoderOf, portOf, readStore, writeStore } from '../records';
import { storeInit } from '../reorder';

/** Bytes of one connection record with its two windows. */
export function connectionBytes(readWindowLog2: u32, writeWindowLog2: u32): u32 {
  return (
    CONNECTION_WINDOWS + ((((<u32>4) << readWindowLog2) + ((<u32>4) << writeWindowLog2) + 7) & ~7)
  );
}

/** A fresh record in state OPENING. Its slot, or ERROR_NO_BUFFERS. */
export function connectionBegin(port: Port, kind: u32, profile: usize): i32 {
  const slot = poolAcquire(port.connections);
  if (slot < 0) return ERROR_NO_BUFFERS;
  const connection = connectionAt(port, slot);
  memory.fill(changetype<usize>(connection), 0, CONNECTION_WINDOWS);
  memory.fill(changetype<usize>(connection) + port.stateOffset, 0, port.stateBytes);
  connection.token = poolToken(port.connections, slot);
  connection.kind = kind;
  connection.profile = profile;
  connection.state = STATE_OPENING;
  connection.handle = -1;
  connection.pendingHead = NOTHING;
  connection.pendingTail = NOTHING;
  connection.nextReady = NOTHING;
  connection.nextDirty = NOTHING;
  connection.nextClosed = NOTHING;
  connection.activityMs = port.nowMs;
  connection.openedMs = port.nowMs;
  connection.chunkLog2 = changetype<Profile>(profile).chunkLog2;
  const decoder = decoderOf(connection);
  decoder.framing = changetype<Profile>(profile).framing;
  decoder.owner = slot;
  numberFrom(port, connection, 0, 0);
  return slot;
}

/** Both stores empty, with these numbers the next. */
function numberFrom(port: Port, connection: Connection, read: u32, write: u32): void {
  connection.readSequence = read;
  connection.writeSequence = write;
  const readWindow = changetype<usize>(connection) + CONNECTION_WINDOWS;
  storeInit(readStore(connection), readWindow, port.readWindowLog2, read);
  const writeWindow = readWindow + ((<usize>4) << port.readWindowLog2);
  storeInit(writeStore(connection), writeWindow, port.writeWindowLog2, write);
}

/** For the host: a record to listen, bind or connect with. Its token, or a negative error. */
export function connectionCreate(workerPointer: usize, kind: u32, profile: usize): f64 {
  const port = portOf(changetype<Worker>(workerPointer));
  const slot = connectionBegin(port, kind, profile);
  return slot < 0 ? <f64>slot : connectionAt(port, slot).token;
}

/** Gives back a record that the host made and nothing was started with. */
export function connectionDiscard(workerPointer: usize, slot: i32): void {
  const port = portOf(changetype<Worker>(workerPointer));
  invariant(connectionAt(port, slot).operations == 0);
  poolRelease(port.connections, slot);
}

/** The slot that a connection's token names, or ERROR_STALE_TOKEN. */
export function connectionCheck(workerPointer: usize, token: f64): i32 {
  return poolCheck(portOf(changetype<Worker>(workerPointer)).connections, token);
}

/** Numbers of the next receive and send: for tests that start near the wrap-around. */
export function connectionSequences(workerPointer: usize, slot: i32, read: u32, write: u32): void {
  const port = portOf(changetype<Worker>(workerPointer));
  numberFrom(port, connectionAt(port, slot), read, write);
}

/** The operation that opens it has succeeded. */
export function connectionOpened(port: Port, connection: Connection, handle: i32): void {
  connection.handle = handle;
  connection.state = (connection.state & ~STATE_OPENING) | STATE_OPEN;
  if (connection.kind == CONNECTION_STREAM) connection.state |= STATE_TRUNCATABLE;
  connection.openedMs = port.nowMs;
  connection.activityMs = connection.openedMs;
}
