/** The handlers of a listener or a connection, checked once and shared by all its connections. */
import type { BatchGroup, MessageBatch } from './batch.ts';
import type { Connection } from './connection.ts';
import { HANDLER_NAMES } from './option-names.ts';
import { invalidOption } from './options.ts';
import type { Profile } from './profile.ts';
import type { Codec, ConnectionOptions, Handlers } from './types.ts';

/** Handlers and codec of a group of connections. */
export interface Group<Message> {
  readonly handlers: Handlers<Message>;
  readonly codec: Codec<Message> | undefined;
  /** Set where `messages` is. */
  readonly batch: BatchGroup | undefined;
  readonly profile: Profile;
  /** Told of each connection of the group that has gone. */
  readonly onGone: ((connection: Connection<Message>) => void) | undefined;
}

/** What the connections of one listener, or one connected, share. `options` were checked. */
export function groupOf<Message>(
  options: ConnectionOptions<Message>,
  profile: Profile,
  onGone?: (connection: Connection<Message>) => void,
): Group<Message> {
  const call = options.messages as ((batch: MessageBatch<never>) => void) | undefined;
  return {
    handlers: options,
    codec: options.codec,
    batch: call === undefined ? undefined : { messages: (batch) => call.call(options, batch) },
    profile,
    onGone,
  };
}

/** @throws OverlappedError INVALID_OPTION */
export function checkHandlers<Message>(options: ConnectionOptions<Message>): void {
  for (const name of HANDLER_NAMES) {
    const handler = options[name];
    if (handler !== undefined && typeof handler !== 'function') {
      throw invalidOption(name, handler, 'a function');
    }
  }
  if (options.message !== undefined && options.messages !== undefined) {
    throw invalidOption('messages', 'given beside message', 'one of the two');
  }
  const { codec } = options;
  if (codec !== undefined) {
    if (typeof codec.encode !== 'function' || typeof codec.decode !== 'function') {
      throw invalidOption('codec', codec, 'an object with encode and decode');
    }
  }
}
