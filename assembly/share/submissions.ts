/** What workers submit goes to the I/O thread, in the order of their claims (R2). */
import { invariant } from '../debug';
import { Completion, Operation, SUBMISSION_BYTES, SharedPort, Submission, Worker } from '../layout';
import { submissionRoom, submit } from '../operation';
import { queuePop, queuePut } from '../queue';
import { operationAt, portOf } from '../records';
import { ioWake, sharedOf, tellIo } from '../shared-port';

/** From the worker's ring into the port's queue: how many. */
function queueSubmissions(worker: Worker, shared: SharedPort): u32 {
  const count = worker.submissionCount;
  for (let index: u32 = 0; index < count; index++) {
    const entry = changetype<Submission>(worker.submissions + <usize>index * SUBMISSION_BYTES);
    const pushed = queuePut(
      shared.submissions,
      entry.token,
      entry.handle,
      (entry.flags << 8) | entry.kind,
      entry.operation,
      0,
      0,
    );
    // It holds one for each operation and each cancel.
    invariant(pushed == 0);
  }
  worker.submissionCount = 0;
  return count;
}

/**
 * Passes what this worker submits to the I/O thread, while it still has the
 * connections concerned (R2).
 * @returns 1 if the caller must wake the I/O thread
 */
export function handOver(workerPointer: usize): i32 {
  const worker = changetype<Worker>(workerPointer);
  const shared = sharedOf(portOf(worker));
  if (queueSubmissions(worker, shared) != 0) tellIo(shared);
  return ioWake(workerPointer);
}

/**
 * For the I/O thread: moves what is submitted into its ring, as far as there is
 * room. What it submits itself goes through the queue like all others': a
 * connection that it took over may have something there.
 * @returns how many lie in the ring, for the driver
 */
export function takeSubmissions(workerPointer: usize): u32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  queueSubmissions(worker, sharedOf(port));
  const taken = changetype<Completion>(worker.scratch);
  while (submissionRoom(worker, 1) && queuePop(sharedOf(port).submissions, worker.scratch) == 1) {
    const slot = taken.buffer;
    // A cancel has no record.
    const operation = slot < 0 ? changetype<Operation>(0) : operationAt(port, slot);
    submit(
      worker,
      taken.flags & 255,
      taken.result,
      taken.token,
      slot,
      slot < 0 ? 0 : operation.offset,
      slot < 0 ? 0 : operation.length,
      taken.flags >> 8,
    );
    // Counted by the worker that submitted it.
    port.submitted -= 1;
  }
  return worker.submissionCount;
}
