/** TCP's simultaneous open with oneself. */
import type { SocketAddress } from '../backend.ts';

/**
 * Whether a connection reached itself: a port of this computer that nobody
 * listens on can be the very one that the system chose for our side. The
 * connect is refused then, as it would have been from any other port.
 */
export function isItsOwnPeer(
  local: SocketAddress | undefined,
  remote: SocketAddress | undefined,
): boolean {
  if (local === undefined || remote === undefined || local.family === 'path') return false;
  return local.port === remote.port && local.address === remote.address;
}

/** What such a connect fails with. */
export function refusedByItself(): Error {
  return Object.assign(new Error('connected to itself'), { code: 'ECONNREFUSED' });
}
