/** Socket handlers for Bun: one object for all sockets, which find their connection as `data`. */
import type { BunSocket, BunSocketHandlers } from './bun-api.ts';
import type { BunConnection } from './connection.ts';

type Owner = BunConnection | undefined;

/** @param accepted takes a socket that a listener accepted; it sets `data`. Without it `data` is there already. */
export function socketHandlers(
  accepted?: (socket: BunSocket<Owner>) => void,
): BunSocketHandlers<Owner> {
  return {
    open(socket) {
      if (accepted === undefined) socket.data?.onOpen(socket);
      else accepted(socket);
    },
    data(socket, chunk) {
      socket.data?.onData(chunk);
    },
    drain(socket) {
      socket.data?.onDrain();
    },
    end(socket) {
      socket.data?.onEnd();
    },
    close(socket, error) {
      socket.data?.onClose(error);
    },
    error(socket, error) {
      socket.data?.onError(error);
    },
    connectError(socket, error) {
      socket.data?.onConnectError(error);
    },
  };
}
