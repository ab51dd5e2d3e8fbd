/**
 * The structures of Windows' overlapped I/O, written and read in linear memory:
 * a batch of submissions becomes OVERLAPPEDs, WSABUFs and addresses; a batch of
 * dequeued packets becomes completions. An operation's record begins with its
 * OVERLAPPED, so the address that a packet carries is the record's (R19).
 */
import { atomicAdd, atomicLoad, atomicSub } from '../atomic';
import { invariant } from '../debug';
import {
  ADDRESS_BYTES,
  Address,
  IOCP_ENTRY_BYTES,
  IOCP_HANDLE_BYTES,
  IOCP_KEY_HANDLES,
  IOCP_KEY_POST,
  IOCP_KEY_WAKE,
  IOCP_WOKEN,
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
    atomicAdd<u32>(pendingOf(handle), 1);
    if (kind == OPERATION_SEND) atomicAdd<u32>(sendsOf(handle), 1);
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
    const entry = entryAt(port, index);
    if (!isPlain(port, entry)) return index;
    settle(port, entry);
  }
  return count;
}

/**
 * The same for a thread that dequeues beside the driver's: all packets that lie
 * in its seat. Those that the driver must look at, and handles that have come to
 * their last packet while it closed them, go to `looks`.
 *
 * Each packet is dealt with before `next` says so. A thread that ends in between
 * leaves the rest to whoever calls this again: a completion may then be pushed
 * twice, where its token makes the second one stale, but is counted once.
 * @returns how many went to `looks`, and IOCP_WOKEN
 */
export function iocpShare(portPointer: usize): u32 {
  const port = changetype<IocpPort>(portPointer);
  let result: u32 = 0;
  while (port.next < port.removed) {
    const entry = entryAt(port, port.next);
    const key = <u32>entry.key;
    if (entry.overlapped == 0 && key == IOCP_KEY_WAKE) result |= IOCP_WOKEN;
    else if (entry.reserved == 0 && !isPlain(port, entry)) {
      look(port, entry.overlapped, key, entry.bytes);
      result++;
    } else if (settle(port, entry)) {
      look(port, 0, key, 0);
      result++;
    }
    entry.reserved = 0;
    port.next++;
  }
  port.removed = 0;
  port.next = 0;
  return result;
}

// @ts-ignore: decorator
@inline
function entryAt(port: IocpPort, index: u32): IocpEntry {
  return changetype<IocpEntry>(port.entries + <usize>index * IOCP_ENTRY_BYTES);
}

/** Whether a packet is a completion as it is. */
function isPlain(port: IocpPort, entry: IocpEntry): bool {
  const record = recordOf(port, entry.overlapped);
  if (record == 0) return false;
  const operation = changetype<Operation>(record);
  // The low half of Internal is the NTSTATUS; negative or a warning: the host's.
  if (<u32>operation.internal != 0) return false;
  const kind = operation.kind;
  if (entry.key == IOCP_KEY_POST && kind == OPERATION_POST) return true;
  const handle = <u32>entry.key - IOCP_KEY_HANDLES;
  if (entry.key < IOCP_KEY_HANDLES || handle >= port.handleCount || !isTransfer(kind)) {
    return false;
  }
  if (atomicLoad<u32>(watchedOf(handleAt(port, handle))) != 0) return false;
  // The end of a stream, or what looks like it.
  return kind != OPERATION_RECEIVE || entry.bytes != 0 || operation.length == 0;
}

/**
 * Pushes the completion of a plain packet, then counts it off: with nothing due
 * on a handle, all of its completions are in the queue.
 * @returns whether it was the last one of a handle that closes
 */
function settle(port: IocpPort, entry: IocpEntry): bool {
  const record = recordOf(port, entry.overlapped);
  const operation = changetype<Operation>(record);
  // Once pushed, the record may be taken for another operation.
  if (entry.reserved == 0) {
    entry.internal = reinterpret<u64>(operation.token);
    entry.reserved = operation.kind + 1;
  }
  const kind = entry.reserved - 1;
  const token = reinterpret<f64>(entry.internal);
  if (operation.token == token) {
    if (kind == OPERATION_RECEIVE_FROM) {
      readSockaddr(
        record + OPERATION_SOCKADDR,
        changetype<Address>(<usize>operation.offset),
        AF_INET6,
      );
    }
    push(port, token, kind == OPERATION_POST ? 0 : <i32>entry.bytes);
  }
  if (kind == OPERATION_POST) return false;
  return countOff(handleAt(port, <u32>entry.key - IOCP_KEY_HANDLES), kind);
}

/** Leaves a packet, or with `overlapped` 0 a handle, to the driver. */
function look(port: IocpPort, overlapped: u64, key: u32, bytes: u32): void {
  // User addresses are exact in a double.
  const pushed = queuePush(port.looks, <f64>overlapped, <i32>bytes, key, NOTHING, 0);
  // The queue holds as many as can be pending.
  invariant(pushed == 0);
}

/** The slot of the operation whose OVERLAPPED lies at `overlapped`, or NOTHING. */
export function iocpSlot(portPointer: usize, low: u32, high: u32): i32 {
  const port = changetype<IocpPort>(portPointer);
  const record = recordOf(port, ((<u64>high) << 32) | <u64>low);
  return record == 0 ? NOTHING : <i32>((record - port.operations) / OPERATION_BYTES);
}

/** The packet of a transfer on `handle` is back, or will not come. */
export function iocpReturned(portPointer: usize, handle: u32, kind: u32): void {
  countOff(handleAt(changetype<IocpPort>(portPointer), handle), kind);
}

/**
 * One packet less is due. True if it was the last one and the driver watches the
 * handle: the driver first watches and then looks at `pending`, so that it or
 * this thread sees that the handle has come to its end.
 */
function countOff(handle: IocpHandle, kind: u32): bool {
  if (kind == OPERATION_SEND) atomicSub<u32>(sendsOf(handle), 1);
  const before = atomicSub<u32>(pendingOf(handle), 1);
  invariant(before > 0);
  return before == 1 && atomicLoad<u32>(watchedOf(handle)) != 0;
}

// @ts-ignore: decorator
@inline
function pendingOf(handle: IocpHandle): usize {
  return changetype<usize>(handle) + offsetof<IocpHandle>('pending');
}

// @ts-ignore: decorator
@inline
function sendsOf(handle: IocpHandle): usize {
  return changetype<usize>(handle) + offsetof<IocpHandle>('sends');
}

// @ts-ignore: decorator
@inline
function watchedOf(handle: IocpHandle): usize {
  return changetype<usize>(handle) + offsetof<IocpHandle>('watched');
}

/** Reports the `count` operations whose slots stand in `direct`: done as they were submitted. */
export function iocpDirect(portPointer: usize, count: u32): void {
  const port = changetype<IocpPort>(portPointer);
  for (let index: u32 = 0; index < count; index++) {
    const slot = load<u32>(port.direct + ((<usize>index) << 2));
    const operation = changetype<Operation>(port.operations + <usize>slot * OPERATION_BYTES);
    push(port, operation.token, <i32>operation.bytes);
  }
}

function push(port: IocpPort, token: f64, result: i32): void {
  const queued = queuePush(port.completions, token, result, 0, NOTHING, 0);
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
