/** Received buffers into events, as far as the ring has room. */
import { bufferLink, dropPending, takePending } from './buffer';
import { invariant } from './debug';
import { decode, decodeEnd } from './frame/decode';
import {
  Connection,
  EVENT_BYTES,
  EVENT_OVERSIZE,
  Event,
  FRAMING_DISCARD_OVERSIZE,
  Framing,
  Profile,
  STATE_DISCARD,
  STATE_FAILED,
  STATE_GOT_MESSAGE,
  STATE_PAUSED,
  STATE_TRUNCATABLE,
  WORKER_DECODE_CONTEXT,
  Worker,
} from './layout';
import { slotAddress } from './pool';
import { decoderOf, portOf } from './records';

/**
 * Decodes what the connection has, as far as the event ring has room.
 * @returns true when nothing is left to decode; false when the ring is full or
 *          the connection is paused
 */
export function decodePending(worker: Worker, slot: i32, connection: Connection): bool {
  const port = portOf(worker);
  const decoder = decoderOf(connection);
  const context = changetype<usize>(worker) + WORKER_DECODE_CONTEXT;
  while (connection.pendingHead >= 0) {
    if (connection.state & STATE_DISCARD || decoder.error != 0) {
      dropPending(port, connection);
      return true;
    }
    if (shownLater(connection)) return false;
    const room = worker.eventCapacity - worker.eventCount;
    if (room == 0) return false;
    const buffer = connection.pendingHead;
    const link = bufferLink(port, buffer);
    const input = slotAddress(port.buffers, buffer) + link.start;
    const count = decode(
      context,
      changetype<usize>(decoder),
      input,
      link.end - link.start,
      worker.events + <usize>worker.eventCount * EVENT_BYTES,
      room,
    );
    if (count > 0) countMessages(worker, connection, count);
    link.start += decoder.consumed;
    invariant(link.start <= link.end);
    if (link.start < link.end && decoder.error == 0) return false;
    takePending(port, connection);
    link.next = worker.releaseHead;
    worker.releaseHead = buffer;
  }
  return true;
}

/** Paused. A failed connection delivers what it has, paused or not: nothing more comes. */
@inline
export function shownLater(connection: Connection): bool {
  return (connection.state & (STATE_PAUSED | STATE_FAILED | STATE_DISCARD)) == STATE_PAUSED;
}

/** The stream has ended and everything before was decoded: what does the decoder say to that? */
export function decodeStreamEnd(worker: Worker, connection: Connection): bool {
  if ((connection.state & STATE_TRUNCATABLE) == 0) return true;
  const room = worker.eventCapacity - worker.eventCount;
  if (room == 0) return false;
  connection.state &= ~STATE_TRUNCATABLE;
  const decoder = decoderOf(connection);
  if (connection.state & STATE_DISCARD || decoder.error != 0) return true;
  const count = decodeEnd(
    changetype<usize>(worker) + WORKER_DECODE_CONTEXT,
    changetype<usize>(decoder),
    worker.events + <usize>worker.eventCount * EVENT_BYTES,
    room,
  );
  if (count > 0) countMessages(worker, connection, count);
  return true;
}

function countMessages(worker: Worker, connection: Connection, count: i32): void {
  let messages = count;
  const framing = changetype<Framing>(changetype<Profile>(connection.profile).framing);
  if (framing.flags & FRAMING_DISCARD_OVERSIZE) {
    const first = worker.events + <usize>worker.eventCount * EVENT_BYTES;
    for (let index = 0; index < count; index++) {
      if (changetype<Event>(first + <usize>index * EVENT_BYTES).kind == EVENT_OVERSIZE) {
        portOf(worker).oversize += 1;
        worker.others++;
        messages--;
      }
    }
  }
  connection.messagesReceived += <f64>messages;
  if (messages > 0) connection.state |= STATE_GOT_MESSAGE;
  worker.eventCount += <u32>count;
}
