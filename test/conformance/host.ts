/** What this computer offers. */
import { createSocket } from 'node:dgram';

/** Whether there is an IPv6 loopback. */
export function hasIpv6(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp6');
    socket.once('error', () => resolve(false));
    socket.bind(0, '::1', () => {
      socket.close();
      resolve(true);
    });
  });
}
