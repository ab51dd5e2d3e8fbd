/** Where to listen or connect, out of options. */
import type { Endpoint } from '../backends/backend.ts';
import { integerOption, invalidOption } from './options.ts';

export interface EndpointOptions {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
}

/** @throws OverlappedError INVALID_OPTION */
export function endpointOf(options: EndpointOptions, leastPort: 0 | 1): Endpoint {
  const { host = '127.0.0.1', path } = options;
  if (path !== undefined) {
    if (typeof path !== 'string' || path === '') throw invalidOption('path', path, 'a path');
    if (options.port !== undefined || options.host !== undefined) {
      throw invalidOption('path', path, 'a path without host and port');
    }
    return { path };
  }
  if (typeof host !== 'string' || host === '') throw invalidOption('host', host, 'a host name');
  if (leastPort === 1 && options.port === undefined) {
    throw invalidOption('port', options.port, 'a whole number from 1 to 65535, or a path');
  }
  return { host, port: integerOption('port', options.port, 0, leastPort, 65_535) };
}
