/** The handlers of a listener or a connection, checked once and shared by all its connections. */
import type { BatchGroup, MessageBatch } from './batch.ts';
import { invalidOption } from './options.ts';
import type { Codec, ConnectionOptions, Handlers } from './types.ts';

const HANDLER_NAMES = ['open', 'message', 'messages', 'end', 'drain', 'error', 'close'] as const;

/** Handlers and codec of a group of connections. */
export interface Group<Message> {
  readonly handlers: Handlers<Message>;
  readonly codec: Codec<Message> | undefined;
  /** Set where `messages` is. */
  readonly batch: BatchGroup | undefined;
  /** Bytes that an iterator may hold before the connection stops reading. */
  readonly highWaterMarkBytes: number;
}

/** @throws OverlappedError INVALID_OPTION */
export function groupOf<Message>(
  options: ConnectionOptions<Message>,
  highWaterMarkBytes: number,
): Group<Message> {
  for (const name of HANDLER_NAMES) {
    const handler = options[name];
    if (handler !== undefined && typeof handler !== 'function') {
      throw invalidOption(name, handler, 'a function');
    }
  }
  if (options.message !== undefined && options.messages !== undefined) {
    throw invalidOption('messages', 'given beside message', 'one of the two');
  }
  const { codec, messages } = options;
  if (codec !== undefined) {
    if (typeof codec.encode !== 'function' || typeof codec.decode !== 'function') {
      throw invalidOption('codec', codec, 'an object with encode and decode');
    }
  }
  const call = messages as ((batch: MessageBatch<never>) => void) | undefined;
  return {
    handlers: options,
    codec,
    batch: call === undefined ? undefined : { messages: (batch) => call.call(options, batch) },
    highWaterMarkBytes,
  };
}
