/** Operations and submissions: the two ends of the lending of memory to a backend. */
import { invariant } from './debug';
import {
  ERROR_NO_BUFFERS,
  NOTHING,
  OPERATION_CLOSE,
  OPERATION_POST,
  Pool,
  Port,
  SUBMISSION_BYTES,
  Submission,
  Worker,
} from './layout';
import { poolAcquire, poolInUse, poolRelease, poolToken } from './pool';
import { connectionAt, hotConnection, hotOperation, operationAt, portOf } from './records';

/** 1 / 2^n of the records is kept for closes: they give back what all others wait for. */
const CLOSE_SHARE_LOG2: u32 = 4;

/**
 * Takes an operation record for `connection` (a slot, or NOTHING). Its token is
 * valid until `operationEnd`. Returns the record's slot, or ERROR_NO_BUFFERS.
 */
export function operationBegin(port: Port, kind: u32, connection: i32): i32 {
  if (kind != OPERATION_CLOSE) {
    const capacity = changetype<Pool>(port.operations).capacity;
    if (poolInUse(port.operations) + (capacity >> CLOSE_SHARE_LOG2) >= capacity) {
      return ERROR_NO_BUFFERS;
    }
  }
  const slot = poolAcquire(port.operations);
  if (slot < 0) return ERROR_NO_BUFFERS;
  const operation = hotOperation(port, slot);
  operation.token = poolToken(port.operations, slot);
  operation.kind = kind;
  operation.connection = connection;
  operation.buffer = NOTHING;
  operation.offset = 0;
  operation.length = 0;
  operation.transferred = 0;
  operation.completed = 0;
  operation.chunk = 0;
  if (connection >= 0) hotConnection(port, connection).operations++;
  return slot;
}

export function operationEnd(port: Port, slot: i32): void {
  const connection = hotOperation(port, slot).connection;
  if (connection >= 0) {
    const record = hotConnection(port, connection);
    invariant(record.operations > 0);
    record.operations--;
  }
  const released = poolRelease(port.operations, slot);
  invariant(released == 0);
}

/**
 * For operations that carry what the core does not know (endpoints): begins one
 * on behalf of the host. Returns its token, or a negative error.
 */
export function operationStart(workerPointer: usize, kind: u32, connection: i32): f64 {
  const port = portOf(changetype<Worker>(workerPointer));
  const slot = operationBegin(port, kind, connection);
  if (slot < 0) return <f64>slot;
  const operation = operationAt(port, slot);
  if (connection >= 0 && kind != OPERATION_POST) {
    connectionAt(port, connection).armedToken = operation.token;
  }
  return operation.token;
}

/** True while `count` more submissions fit before the host has to take them. */
@inline
export function submissionRoom(worker: Worker, count: u32): bool {
  return worker.submissionCount + count <= worker.submissionCapacity;
}

export function submit(
  worker: Worker,
  kind: u32,
  handle: i32,
  token: f64,
  operation: i32,
  offset: usize,
  length: u32,
  flags: u32,
): void {
  invariant(submissionRoom(worker, 1));
  const entry = changetype<Submission>(
    worker.submissions + <usize>worker.submissionCount * SUBMISSION_BYTES,
  );
  entry.kind = kind;
  entry.handle = handle;
  entry.token = token;
  entry.operation = operation;
  entry.offset = <u32>offset;
  entry.length = length;
  entry.flags = flags;
  worker.submissionCount++;
  portOf(worker).submitted += 1;
}
