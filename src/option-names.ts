/** Names of options that several functions take. */
import type { ConnectionOptions, Handlers } from './types.ts';

export const HANDLER_NAMES = [
  'open',
  'message',
  'messages',
  'end',
  'drain',
  'error',
  'close',
] as const satisfies (keyof Handlers)[];

/** Those of a connection that are plain data, and can cross to another thread. */
export const CONNECTION_SETTING_NAMES = [
  'framing',
  'receiveDepth',
  'sendDepth',
  'readOrder',
  'writeOrder',
  'eagerRead',
  'highWaterMarkBytes',
  'maxQueuedBytes',
  'receiveWhileBlocked',
  'allowHalfOpen',
  'idleTimeoutMs',
  'firstMessageTimeoutMs',
  'closeTimeoutMs',
  'noDelay',
  'keepAliveMs',
] as const satisfies (keyof ConnectionOptions)[];
