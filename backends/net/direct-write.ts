/**
 * Writes on a bare handle. The kernel nearly always takes all of it within the
 * call; then nothing is left behind, and the same request serves the next write.
 */
import type { NetContext } from './context.ts';
import type { HandleConnection } from './handle-connection.ts';
import type { Internals, Request, StreamHandle } from './node-internals.ts';
import type { SendRecord } from './sends.ts';

export interface WriteRequest extends Request {
  connection: HandleConnection | undefined;
  last: SendRecord | undefined;
}

/** The system took the write over: its request calls back. */
export const UNDER_WAY = 1;

/**
 * Writes all sends from `first` on.
 * @returns 0 when the kernel has the bytes, UNDER_WAY, or a negative system number
 */
export function writeSends(
  connection: HandleConnection,
  stream: StreamHandle,
  context: NetContext,
  internals: Internals,
  first: SendRecord,
): number {
  const request = (context.idleRequest ?? new internals.WriteRequest()) as WriteRequest;
  context.idleRequest = request;
  const status =
    first.next === undefined
      ? stream.writeBuffer(request, context.view(first.offset, first.length))
      : stream.writev(request, viewsOf(context, first), true);
  // A request that the system has taken over has a number, also when it is done already.
  if (request.getAsyncId() < 0) {
    if (status === 0) context.counts.writesAtOnce++;
    return status;
  }
  context.idleRequest = undefined;
  if (status !== 0) return status;
  context.counts.writesUnderWay++;
  request.connection = connection;
  request.last = connection.newest;
  request.oncomplete = onWritten;
  return UNDER_WAY;
}

function viewsOf(context: NetContext, first: SendRecord): Uint8Array[] {
  const views: Uint8Array[] = [];
  for (let record: SendRecord | undefined = first; record !== undefined; record = record.next) {
    views.push(context.view(record.offset, record.length));
  }
  return views;
}

function onWritten(this: WriteRequest, status: number): void {
  const { connection, last } = this;
  this.connection = undefined;
  this.last = undefined;
  if (last !== undefined) connection?.onWritten(last, status);
}
