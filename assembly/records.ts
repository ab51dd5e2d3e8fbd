/** Where the records of a port and the parts of a connection's record lie. */
import {
  CONNECTION_DECODER,
  CONNECTION_READ_STORE,
  CONNECTION_WRITE_STORE,
  Connection,
  Decoder,
  Operation,
  Port,
  Worker,
} from './layout';
import { slotAddress } from './pool';

@inline
export function portOf(worker: Worker): Port {
  return changetype<Port>(worker.port);
}

// @ts-ignore: decorator
@noinline
export function operationAt(port: Port, slot: i32): Operation {
  return hotOperation(port, slot);
}

// @ts-ignore: decorator
@noinline
export function connectionAt(port: Port, slot: i32): Connection {
  return hotConnection(port, slot);
}

// The same without a call, for what every message or every turn of a connection passes.

@inline
export function hotOperation(port: Port, slot: i32): Operation {
  return changetype<Operation>(slotAddress(port.operations, slot));
}

@inline
export function hotConnection(port: Port, slot: i32): Connection {
  return changetype<Connection>(slotAddress(port.connections, slot));
}

@inline
export function decoderOf(connection: Connection): Decoder {
  return changetype<Decoder>(changetype<usize>(connection) + CONNECTION_DECODER);
}

@inline
export function readStore(connection: Connection): usize {
  return changetype<usize>(connection) + CONNECTION_READ_STORE;
}

@inline
export function writeStore(connection: Connection): usize {
  return changetype<usize>(connection) + CONNECTION_WRITE_STORE;
}
