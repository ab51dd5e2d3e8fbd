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
import { poolAddress } from './pool';

@inline
export function portOf(worker: Worker): Port {
  return changetype<Port>(worker.port);
}

@inline
export function operationAt(port: Port, slot: i32): Operation {
  return changetype<Operation>(poolAddress(port.operations, slot));
}

@inline
export function connectionAt(port: Port, slot: i32): Connection {
  return changetype<Connection>(poolAddress(port.connections, slot));
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
