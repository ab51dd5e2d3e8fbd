/** `connect`: one connection to a peer. */
import * as layout from '#generated/layout';
import { Connection } from './connection.ts';
import { endpointOf } from './endpoint.ts';
import { checkHandlers, groupOf } from './handlers.ts';
import { integerOption, knownOptions } from './options.ts';
import { acquirePort, CONNECTION_OPTION_NAMES, canceled, PORT_OPTION_NAMES } from './ports.ts';
import { profileValues, streamOptions } from './profile.ts';
import { createRecord, openingToken } from './record.ts';
import type { ConnectOptions } from './types.ts';

const OPTION_NAMES = new Set([
  ...CONNECTION_OPTION_NAMES,
  ...PORT_OPTION_NAMES,
  'port',
  'host',
  'path',
  'connectTimeoutMs',
  'on',
  'signal',
]);

/**
 * Connects to a server that speaks framed messages. Resolves when connected,
 * after `open`.
 * @throws OverlappedError INVALID_OPTION, NOT_SUPPORTED, REFUSED, UNREACHABLE,
 *   TIMED_OUT after `connectTimeoutMs`, CANCELED by the signal, NO_BUFFERS
 */
export async function connect<Message = Uint8Array>(
  options: ConnectOptions<Message>,
): Promise<Connection<Message>> {
  knownOptions('connect', options, OPTION_NAMES);
  const endpoint = endpointOf(options, 1);
  checkHandlers(options);
  const stream = streamOptions(options);
  const timeoutMs = integerOption(
    'connectTimeoutMs',
    options.connectTimeoutMs,
    30_000,
    0,
    2 ** 31 - 1,
  );
  const { signal } = options;
  const port = await acquirePort(options);
  if (signal?.aborted) throw canceled(signal);
  const values = profileValues(options, port.driver.limits, port.receiveBufferBytes);
  const { slot, token, profile } = createRecord(port, layout.CONNECTION_STREAM, values, 'connect');
  const group = groupOf(options, profile);
  const connection = new Connection<Message>({ port, slot, token, group });
  let failure: Error | undefined;
  const callOff = (error: number) => {
    port.core.exports.connectionAbort(port.regions.worker, slot, error);
    port.scheduleFlush();
  };
  const clearTimer =
    timeoutMs === 0
      ? undefined
      : port.driver.setTimer(timeoutMs, () => callOff(layout.ERROR_TIMED_OUT));
  const onAbort = () => {
    if (connection.sendConnected) connection.abort();
    else {
      failure = canceled(signal as AbortSignal);
      callOff(layout.ERROR_CANCELED);
    }
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  port.driver.connect(openingToken(port, layout.OPERATION_CONNECT, slot), endpoint, stream);
  port.scheduleFlush();
  try {
    await connection.opening;
  } catch (error) {
    signal?.removeEventListener('abort', onAbort);
    throw failure ?? error;
  } finally {
    clearTimer?.();
  }
  if (signal !== undefined) {
    void connection.closed.then(() => signal.removeEventListener('abort', onAbort));
  }
  return connection;
}
