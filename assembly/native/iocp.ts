/**
 * The structures of Windows' overlapped I/O, written and read in linear memory:
 * a batch of submissions becomes OVERLAPPEDs, WSABUFs and addresses; a batch of
 * dequeued packets becomes completions. An operation's record begins with its
 * OVERLAPPED, so the address that a packet carries is the record's (R19).
 */
import { invariant } from '../debug';
import {
  ADDRESS_BYTES,
  Address,
  IOCP_ENTRY_BYTES,
  IOCP_HANDLE_BYTES,
  IOCP_KEY_HANDLES,
  IOCP_KEY_POST,
  IocpEntry,
  IocpHandle,
  IocpPort,
  NOTHING,
  OPERATION_BYTES,
  OPERATION_POST,
  OPERATION_RECEIVE,
  OPERATION_RECEIVE_FROM,
  OPERATION_SEND,
  OPERATION_SEND_TO,
  OPERATION_SOCKADDR,
  Operation,
  SUBMISSION_BYTES,
  Submission,
} from '../layout';
import { queuePush } from '../queue';
import { readSockaddr, writeSockaddr } from './sockaddr';

/** Windows' AF_INET6; AF_INET is 2 everywhere. */
const AF_INET6: u32 = 23;
/** Room in a record for a sockaddr_storage. */
const SOCKADDR_ROOM: i32 = 128;

/** Transfers: operations that lend a range and end with one packet. */
// @ts-ignore: decorator
@inline
function isTransfer(kind: u32): bool {
  return (
    kind == OPERATION_RECEIVE ||
    kind == OPERATION_SEND ||
    kind == OPERATION_RECEIVE_FROM ||
    kind == OPERATION_SEND_TO
  );
}

// @ts-ignore: decorator
@inline
function handleAt(port: IocpPort, handle: u32): IocpHandle {
  return changetype<IocpHandle>(port.handles + <usize>handle * IOCP_HANDLE_BYTES);
}

/**
 * Fills the structures of every transfer and post among `count` submissions.
 * The host then makes the calls, in the same order.
 */
export function iocpPrepare(portPointer: usize, submissions: usize, count: u32): void {
  const port = changetype<IocpPort>(portPointer);
  for (let index: u32 = 0; index < count; index++) {
    const entry = changetype<Submission>(submissions + <usize>index * SUBMISSION_BYTES);
    const kind = entry.kind;
    if (!isTransfer(kind) && kind != OPERATION_POST) continue;
    const slot = <u32>entry.operation;
    invariant(slot < port.operationCount);
    const record = port.operations + <usize>slot * OPERATION_BYTES;
    const operation = changetype<Operation>(record);
    operation.internal = 0;
    operation.internalHigh = 0;
    operation.overlappedOffset = 0;
    operation.overlappedOffsetHigh = 0;
    operation.event = 0;
    operation.token = entry.token;
    operation.kind = kind;
    if (kind == OPERATION_POST) continue;
    operation.offset = entry.offset;
    operation.length = entry.length;
    operation.bytes = 0;
    operation.flags = 0;
    let header: u32 = 0;
    invariant(<u32>entry.handle < port.handleCount);
    const handle = handleAt(port, entry.handle);
    if (kind == OPERATION_RECEIVE_FROM) {
      header = ADDRESS_BYTES;
      operation.addressLength = SOCKADDR_ROOM;
    } else if (kind == OPERATION_SEND_TO) {
      header = ADDRESS_BYTES;
      operation.addressLength = writeSockaddr(
        record + OPERATION_SOCKADDR,
        changetype<Address>(<usize>entry.offset),
        AF_INET6,
        handle.family == 6,
      );
    }
    invariant(entry.length >= header);
    operation.bufferLength = entry.length - header;
    operation.bufferPadding = 0;
    operation.bufferAddress = port.base + <u64>(entry.offset + header);
    handle.pending++;
    if (kind == OPERATION_SEND) handle.sends++;
  }
}

/**
 * Turns the packets from number `from` on into completions, up to the first one
 * that the host must look at itself: one that failed or says that a stream
 * ended, belongs to a watched handle, or is none of a transfer's.
 * @returns its number, or `count`
 */
export function iocpReap(portPointer: usize, from: u32, count: u32): u32 {
  const port = changetype<IocpPort>(portPointer);
  for (let index = from; index < count; index++) {
    const entry = changetype<IocpEntry>(port.entries + <usize>index * IOCP_ENTRY_BYTES);
    const record = recordOf(port, entry.overlapped);
    if (record == 0) return index;
    const operation = changetype<Operation>(record);
    // The low half of Internal is the NTSTATUS; negative or a warning: the host's.
    if (<u32>operation.internal != 0) return index;
    const kind = operation.kind;
    if (entry.key == IOCP_KEY_POST && kind == OPERATION_POST) {
      push(port, operation, 0);
      continue;
    }
    const handle = <u32>entry.key - IOCP_KEY_HANDLES;
    if (entry.key < IOCP_KEY_HANDLES || handle >= port.handleCount || !isTransfer(kind)) {
      return index;
    }
    if (handleAt(port, handle).watched) return index;
    // The end of a stream, or what looks like it.
    if (kind == OPERATION_RECEIVE && entry.bytes == 0 && operation.length != 0) return index;
    iocpReturned(portPointer, handle, kind);
    if (kind == OPERATION_RECEIVE_FROM) {
      readSockaddr(
        record + OPERATION_SOCKADDR,
        changetype<Address>(<usize>operation.offset),
        AF_INET6,
      );
    }
    push(port, operation, <i32>entry.bytes);
  }
  return count;
}

/** The slot of the operation whose OVERLAPPED lies at `overlapped`, or NOTHING. */
export function iocpSlot(portPointer: usize, low: u32, high: u32): i32 {
  const port = changetype<IocpPort>(portPointer);
  const record = recordOf(port, ((<u64>high) << 32) | <u64>low);
  return record == 0 ? NOTHING : <i32>((record - port.operations) / OPERATION_BYTES);
}

/** The packet of a transfer on `handle` is back, or will not come. */
export function iocpReturned(portPointer: usize, handle: u32, kind: u32): void {
  const record = handleAt(changetype<IocpPort>(portPointer), handle);
  invariant(record.pending > 0);
  record.pending--;
  if (kind == OPERATION_SEND) record.sends--;
}

/** Reports the `count` operations whose slots stand in `direct`: done as they were submitted. */
export function iocpDirect(portPointer: usize, count: u32): void {
  const port = changetype<IocpPort>(portPointer);
  for (let index: u32 = 0; index < count; index++) {
    const slot = load<u32>(port.direct + ((<usize>index) << 2));
    const operation = changetype<Operation>(port.operations + <usize>slot * OPERATION_BYTES);
    push(port, operation, <i32>operation.bytes);
  }
}

function push(port: IocpPort, operation: Operation, result: i32): void {
  const queued = queuePush(port.completions, operation.token, result, 0, NOTHING, 0);
  // The queue holds as many as can be pending.
  invariant(queued == 0);
}

function recordOf(port: IocpPort, overlapped: u64): usize {
  const first = port.base + <u64>port.operations;
  if (overlapped < first) return 0;
  const distance = overlapped - first;
  if (distance >= <u64>port.operationCount * OPERATION_BYTES) return 0;
  return distance % OPERATION_BYTES == 0 ? port.operations + <usize>distance : 0;
}
