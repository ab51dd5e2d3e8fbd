/** Checks of endpoints that hosts make differently, or not at all. */
import type { Endpoint } from '../backend.ts';

/** True for a path, or a port from 0 to 65535. */
export function isValidEndpoint(endpoint: Endpoint): boolean {
  if ('path' in endpoint) return endpoint.path.length > 0;
  return Number.isInteger(endpoint.port) && endpoint.port >= 0 && endpoint.port <= 65535;
}
