/** What a turn leaves for the host. */

export const EVENT_MESSAGE: u32 = 1; // offset, length of the message
export const EVENT_OVERSIZE: u32 = 2; // a frame was too long and is skipped; length: as announced, at most 2^32 - 1
export const EVENT_OPEN: u32 = 3; // a connection was accepted or connected
export const EVENT_END: u32 = 4; // the peer's side ended
export const EVENT_DRAIN: u32 = 5; // the send queue fell below its mark
export const EVENT_CLOSE: u32 = 6; // last event of a connection; offset: error (0 = clean), length: the system's error
export const EVENT_ERROR: u32 = 7; // offset: error, length: the system's error; the connection closes
export const EVENT_DATAGRAM: u32 = 8; // offset, length of the payload; the address stands ADDRESS_BYTES before offset
export const EVENT_RESULT: u32 = 9; // completion of a host operation; connection: its slot, offset: result, length: the system's error
export const EVENT_DATAGRAM_ERROR: u32 = 10; // offset: error, length: the system's error; the socket goes on

/** What a turn leaves for the host. 16 bytes. */
@unmanaged
export class Event {
  kind: u32;
  connection: i32;
  offset: u32;
  length: u32;
}
export const EVENT_BYTES: u32 = 16;
