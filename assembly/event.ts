/** The event ring: what a turn leaves for the host, from the front, in order. */
import { EVENT_BYTES, Event, Worker } from './layout';

@inline
export function eventRoom(worker: Worker): u32 {
  return worker.eventCapacity - worker.eventCount;
}

/** Needs room for one event. */
export function emit(worker: Worker, kind: u32, connection: i32, offset: u32, length: u32): void {
  const event = changetype<Event>(worker.events + <usize>worker.eventCount * EVENT_BYTES);
  event.kind = kind;
  event.connection = connection;
  event.offset = offset;
  event.length = length;
  worker.eventCount++;
  worker.others++;
}
