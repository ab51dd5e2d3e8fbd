/**
 * The structures of io_uring, written and read in linear memory, in which both
 * rings lie: a batch of submissions becomes SQEs, a batch of CQEs becomes
 * completions, and buffers of the pool are provided to the kernel, which takes
 * one as bytes come in. The host only enters the kernel.
 *
 * An operation's `user_data` is its token, so what comes late or names a
 * successor shows: the record holds another token by then.
 *
 * The kernel writes completions in calls of this very thread, or says so by the
 * ring's tail; the host reads that word atomically and passes it on.
 */
import { invariant } from '../debug';
import {
  ADDRESS_BYTES,
  Address,
  COMPLETION_BUFFER,
  COMPLETION_MORE,
  ERROR_FRAME_TOO_LONG,
  ERROR_NO_BUFFERS,
  NOTHING,
  OPERATION_BYTES,
  OPERATION_RECEIVE,
  OPERATION_RECEIVE_FROM,
  OPERATION_SEND,
  OPERATION_SEND_TO,
  OPERATION_SOCKADDR,
  Operation,
  POOL_CAPACITY_MAX,
  Port,
  SUBMISSION_BYTES,
  Submission,
  URING_BUFFER_BYTES,
  URING_CQE_BYTES,
  URING_HANDLE_BYTES,
  URING_HANDLE_COPIES,
  URING_HANDLE_INET6,
  URING_HANDLE_WATCHED,
  URING_OPERATION_VECTOR,
  URING_SQE_BYTES,
  URING_TAG_SHIFT,
  UringBuffer,
  UringCqe,
  UringHandle,
  UringMessage,
  UringPort,
  UringSqe,
} from '../layout';
import { poolAddress } from '../pool';
import { queuePush } from '../queue';
import { bufferLend } from '../buffer';
import { readSockaddr, writeSockaddr } from './sockaddr';

// Linux's numbers: linux/io_uring.h, sys/socket.h, errno.h.
const IORING_OP_SENDMSG: u32 = 9;
const IORING_OP_RECVMSG: u32 = 10;
const IORING_OP_SEND: u32 = 26;
const IORING_OP_RECV: u32 = 27;
const IORING_OP_SEND_ZC: u32 = 47;
const IOSQE_BUFFER_SELECT: u32 = 32;
const IORING_CQE_F_BUFFER: u32 = 1;
const IORING_CQE_F_MORE: u32 = 2;
const IORING_CQE_F_NOTIF: u32 = 8;
const IORING_CQE_BUFFER_SHIFT: u32 = 16;
const MSG_TRUNC: u32 = 0x20;
const MSG_NOSIGNAL: u32 = 0x4000;
const ENOMEM: i32 = 12;
const EOPNOTSUPP: i32 = 95;
const ENOBUFS: i32 = 105;
const AF_INET6: u32 = 10;
/** Buffers that are kept provided even if fewer would have been enough. */
const BUFFERS_SPARE: u32 = 8;
/** After so many provided buffers it is looked at whether there are too many. */
const BUFFERS_PERIOD_LOG2: u32 = 12;
/** Room in a record for a sockaddr_storage. */
const SOCKADDR_ROOM: u32 = 128;

// @ts-ignore: decorator
@inline
function handleAt(port: UringPort, handle: u32): UringHandle {
  return changetype<UringHandle>(port.handles + <usize>handle * URING_HANDLE_BYTES);
}

// @ts-ignore: decorator
@inline
function recordAt(port: UringPort, slot: u32): usize {
  return port.operations + <usize>slot * OPERATION_BYTES;
}

/** A cleared entry at the end of the submission ring, which is then the caller's to fill; 0 if that is full. */
export function uringSqe(portPointer: usize): usize {
  const port = changetype<UringPort>(portPointer);
  const tail = load<u32>(port.sqTail);
  if (tail - load<u32>(port.sqHead) > port.sqMask) return 0;
  const sqe = port.sqes + <usize>(tail & port.sqMask) * URING_SQE_BYTES;
  const zero = i64x2.splat(0);
  v128.store(sqe, zero);
  v128.store(sqe, zero, 16);
  v128.store(sqe, zero, 32);
  v128.store(sqe, zero, 48);
  store<u32>(port.sqTail, tail + 1);
  return sqe;
}

/**
 * Writes the entries of the submissions from number `from` on, up to the first
 * one that is none of a transfer's, whose handle takes none any more, or for
 * which the ring has no room.
 * @returns its number, or `count`
 */
export function uringPrepare(portPointer: usize, submissions: usize, from: u32, count: u32): u32 {
  const port = changetype<UringPort>(portPointer);
  for (let index = from; index < count; index++) {
    const entry = changetype<Submission>(submissions + <usize>index * SUBMISSION_BYTES);
    const kind = entry.kind;
    if (kind < OPERATION_RECEIVE || kind > OPERATION_SEND_TO) return index;
    const handle = handleAt(port, entry.handle);
    if (handle.fd < 0) return index;
    invariant(<u32>entry.operation < port.operationCount);
    const record = recordAt(port, entry.operation);
    const operation = changetype<Operation>(record);
    operation.token = entry.token;
    operation.kind = kind;
    operation.offset = entry.offset;
    operation.length = entry.length;
    changetype<UringMessage>(record).handle = entry.handle;
    if (!begin(port, record, handle)) return index;
    handle.pending++;
    if (kind == OPERATION_SEND) handle.sends++;
  }
  return count;
}

/** The entry of a transfer whose record is filled. False if the ring has no room. */
function begin(port: UringPort, record: usize, handle: UringHandle): bool {
  const at = uringSqe(changetype<usize>(port));
  if (at == 0) return false;
  const sqe = changetype<UringSqe>(at);
  const operation = changetype<Operation>(record);
  const kind = operation.kind;
  const base = port.base;
  let head: u32;
  let address: u64 = base + <u64>operation.offset;
  let length = operation.length;
  if (kind == OPERATION_RECEIVE) {
    head = IORING_OP_RECV | (IOSQE_BUFFER_SELECT << 8) | (port.receivePriority << 16);
    address = 0;
  } else if (kind == OPERATION_SEND) {
    head = isZeroCopy(port, operation, handle) ? IORING_OP_SEND_ZC : IORING_OP_SEND;
  } else {
    invariant(length >= ADDRESS_BYTES);
    const message = changetype<UringMessage>(record);
    message.name = base + <u64>(record + OPERATION_SOCKADDR);
    message.vector = base + <u64>(record + URING_OPERATION_VECTOR);
    message.vectorLength = 1;
    message.control = 0;
    message.controlLength = 0;
    message.flags = 0;
    store<u64>(record, address + ADDRESS_BYTES, URING_OPERATION_VECTOR);
    store<u64>(record, length - ADDRESS_BYTES, URING_OPERATION_VECTOR + 8);
    if (kind == OPERATION_RECEIVE_FROM) {
      head = IORING_OP_RECVMSG;
      message.nameLength = SOCKADDR_ROOM;
    } else {
      head = IORING_OP_SENDMSG;
      message.nameLength = writeSockaddr(
        record + OPERATION_SOCKADDR,
        changetype<Address>(<usize>operation.offset),
        AF_INET6,
        (handle.flags & URING_HANDLE_INET6) != 0,
      );
    }
    address = base + <u64>record;
    length = 1;
  }
  store<u32>(at, head);
  sqe.fd = handle.fd;
  sqe.address = address;
  sqe.length = length;
  sqe.operationFlags = MSG_NOSIGNAL;
  sqe.userData = <u64>operation.token;
  return true;
}

/**
 * Turns the CQEs before `tail` into completions, up to the first one that the
 * host must look at itself: one that failed, is a final one of a watched
 * handle, or is none of a transfer's.
 * @returns its address (it is good until the kernel is entered), or 0
 */
export function uringReap(portPointer: usize, tail: u32): usize {
  const port = changetype<UringPort>(portPointer);
  let head = load<u32>(port.cqHead);
  let left: usize = 0;
  while (head != tail && left == 0) {
    const cqe = port.cqes + <usize>(head & port.cqMask) * URING_CQE_BYTES;
    head++;
    if (!take(port, changetype<UringCqe>(cqe))) left = cqe;
  }
  store<u32>(port.cqHead, head);
  return left;
}

/** False if it is the host's. */
function take(port: UringPort, cqe: UringCqe): bool {
  const userData = cqe.userData;
  const slot = <u32>userData & (POOL_CAPACITY_MAX - 1);
  if (userData >> URING_TAG_SHIFT != 0 || slot >= port.operationCount) return false;
  const record = recordAt(port, slot);
  const operation = changetype<Operation>(record);
  if (operation.token != <f64>userData) return false;
  const kind = operation.kind;
  const message = changetype<UringMessage>(record);
  const handle = handleAt(port, message.handle);
  if (kind == OPERATION_SEND && !settleSend(port, record, handle, cqe)) return true;
  const more = cqe.flags & IORING_CQE_F_MORE;
  if (more == 0 && handle.flags & URING_HANDLE_WATCHED) return false;
  let result = cqe.result;
  if (kind == OPERATION_RECEIVE) {
    if (cqe.flags & IORING_CQE_F_BUFFER) {
      const buffer = consumed(port, cqe.flags >> IORING_CQE_BUFFER_SHIFT);
      push(port, operation, result, COMPLETION_MORE | COMPLETION_BUFFER, buffer);
      if (more) return true;
      // A receive that got bytes goes on, even if the kernel ended it.
      if (result > 0) result = -ENOBUFS;
    }
    if (result == -ENOBUFS) {
      port.bufferTarget = min(port.bufferTarget + 1, port.bufferLimit);
      provide(port);
      if (changetype<Port>(port.port).provided != 0 && begin(port, record, handle)) return true;
      finish(port, handle, operation, ERROR_NO_BUFFERS);
      return true;
    }
  }
  if (result < 0) return false;
  if (kind == OPERATION_RECEIVE_FROM) {
    const address = changetype<Address>(<usize>operation.offset);
    readSockaddr(record + OPERATION_SOCKADDR, address, AF_INET6);
    if (message.flags & MSG_TRUNC) result = ERROR_FRAME_TOO_LONG;
  }
  finish(port, handle, operation, result);
  return true;
}

// @ts-ignore: decorator
@inline
function isZeroCopy(port: UringPort, operation: Operation, handle: UringHandle): bool {
  return operation.length >= port.zeroCopyBytes && (handle.flags & URING_HANDLE_COPIES) == 0;
}

/**
 * A send without a copy completes twice: first it says what became of it, then
 * that its memory is free, which is the end of the operation. One that the
 * socket does not offer, or that would lock more memory than may be, goes out
 * again as others do.
 * @returns false if its end is still to come
 */
function settleSend(port: UringPort, record: usize, handle: UringHandle, cqe: UringCqe): bool {
  const operation = changetype<Operation>(record);
  if (cqe.flags & IORING_CQE_F_MORE) {
    operation.result = cqe.result;
    return false;
  }
  if (cqe.flags & IORING_CQE_F_NOTIF) {
    cqe.result = operation.result;
    cqe.flags = 0;
  }
  const result = cqe.result;
  if (result != -EOPNOTSUPP && result != -ENOMEM && result != -ENOBUFS) return true;
  if (handle.fd < 0 || !isZeroCopy(port, operation, handle)) return true;
  handle.flags |= URING_HANDLE_COPIES;
  return !begin(port, record, handle);
}

function finish(port: UringPort, handle: UringHandle, operation: Operation, result: i32): void {
  invariant(handle.pending > 0);
  handle.pending--;
  if (operation.kind == OPERATION_SEND) handle.sends--;
  push(port, operation, result, 0, NOTHING);
}

function push(port: UringPort, operation: Operation, result: i32, flags: u32, buffer: i32): void {
  const queued = queuePush(port.completions, operation.token, result, flags, buffer, 0);
  // The queue holds as many as can be pending, and one for each buffer.
  invariant(queued == 0);
}

/** The kernel has filled the buffer with this number: its slot, which is the loop's from here on. */
function consumed(port: UringPort, id: u32): i32 {
  const place = port.bufferSlots + ((<usize>(id & port.bufferMask)) << 2);
  const slot = load<i32>(place) - 1;
  store<i32>(place, 0);
  if (slot >= 0) changetype<Port>(port.port).provided--;
  return slot;
}

/** Provides buffers to the kernel, as many as it should have and the pool can spare. */
function provide(port: UringPort): void {
  const owner = changetype<Port>(port.port);
  const first = port.bufferTail;
  let tail = first;
  port.bufferLeast = min(port.bufferLeast, owner.provided);
  while (owner.provided < port.bufferTarget) {
    const at = tail & port.bufferMask;
    const place = port.bufferSlots + ((<usize>at) << 2);
    // Taken out of order, and its completion is still to come.
    if (load<i32>(place) != 0) break;
    const slot = bufferLend(owner);
    if (slot < 0) break;
    store<i32>(place, slot + 1);
    const entry = changetype<UringBuffer>(port.buffers + <usize>at * URING_BUFFER_BYTES);
    entry.address = port.base + <u64>poolAddress(owner.buffers, slot);
    entry.length = owner.bufferBytes;
    entry.id = <u16>at;
    owner.provided++;
    tail++;
  }
  if (tail == first) return;
  if ((tail ^ first) >> BUFFERS_PERIOD_LOG2 != 0) shrink(port);
  port.bufferTail = tail;
  changetype<UringBuffer>(port.buffers).tail = <u16>tail;
}

/**
 * Fewer buffers, if many were never used: the kernel takes each in its turn, so
 * all that it has pass through the caches.
 */
function shrink(port: UringPort): void {
  const unused = port.bufferLeast;
  if (unused > BUFFERS_SPARE) port.bufferTarget -= (unused - BUFFERS_SPARE + 1) >> 1;
  port.bufferLeast = port.bufferTarget;
}

/**
 * A turn is over: provides the buffers that it gave back.
 * @returns how many entries wait for the kernel
 */
export function uringFlush(portPointer: usize): u32 {
  const port = changetype<UringPort>(portPointer);
  provide(port);
  return load<u32>(port.sqTail) - load<u32>(port.sqHead);
}
