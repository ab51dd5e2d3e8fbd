/** What a connection's events do: to its state, and to the handlers of its group. */
import * as layout from '#generated/layout';
import type { Connection } from './connection.ts';
import type { ConnectionState } from './connection-state.ts';
import { OverlappedError } from './errors.ts';
import { connectionStatistics } from './stats.ts';

/** One event: the kind and its two numbers (`EVENT_*`). Never throws. */
export function handleEvent<Message>(
  connection: Connection<Message>,
  state: ConnectionState<Message>,
  kind: number,
  offset: number,
  length: number,
): void {
  state.refresh();
  try {
    if (kind === layout.EVENT_MESSAGE) {
      if (!state.closing) message(connection, state, offset, length);
    } else dispatch(connection, state, kind, offset, length);
  } catch (exception) {
    state.fault();
    state.port.surface(exception);
  }
}

/** Tells the handler, and counts it. */
export function reportError<Message>(
  connection: Connection<Message>,
  { port, group }: ConnectionState<Message>,
  error: OverlappedError,
): void {
  port.countError(error);
  try {
    group.handlers.error?.(connection, error);
  } catch (exception) {
    port.surface(exception);
  }
}

function dispatch<Message>(
  connection: Connection<Message>,
  state: ConnectionState<Message>,
  kind: number,
  offset: number,
  length: number,
): void {
  const { handlers } = state.group;
  switch (kind) {
    case layout.EVENT_OPEN:
      open(connection, state);
      break;
    case layout.EVENT_END:
      state.peerEnded = true;
      state.watchClose();
      state.queue?.end(undefined);
      if (!state.closing) handlers.end?.(connection);
      break;
    case layout.EVENT_DRAIN:
      state.blocked = false;
      state.asked?.drain();
      if (!state.closing) handlers.drain?.(connection);
      break;
    case layout.EVENT_OVERSIZE:
      if (!state.closing) {
        const text = `a frame of ${length} bytes was skipped`;
        reportError(connection, state, new OverlappedError('FRAME_TOO_LONG', text));
      }
      break;
    case layout.EVENT_ERROR:
      failed(connection, state, state.port.errorOf(offset | 0, 'receive', length));
      break;
    case layout.EVENT_CLOSE:
      closed(connection, state, offset | 0, length);
      break;
  }
}

function open<Message>(connection: Connection<Message>, state: ConnectionState<Message>): void {
  const { port, group } = state;
  state.opened = true;
  const { idleTimeoutMs, firstMessageTimeoutMs } = group.profile.values;
  if (idleTimeoutMs > 0) port.watchTimeouts(idleTimeoutMs);
  if (firstMessageTimeoutMs > 0) port.watchTimeouts(firstMessageTimeoutMs);
  state.asked?.open();
  group.handlers.open?.(connection);
}

function message<Message>(
  connection: Connection<Message>,
  state: ConnectionState<Message>,
  offset: number,
  length: number,
): void {
  const { queue } = state;
  const { codec, handlers } = state.group;
  const bytes = state.port.payloads.borrow(offset, length);
  if (codec === undefined) {
    if (queue === undefined) handlers.message?.(connection, bytes as Message);
    else queue.push(bytes.slice() as Message, length);
    return;
  }
  let decoded: Message;
  try {
    decoded = codec.decode(bytes);
  } catch (cause) {
    malformed(connection, state, cause);
    return;
  }
  if (queue === undefined) handlers.message?.(connection, decoded);
  else queue.push(decoded, length);
}

function malformed<Message>(
  connection: Connection<Message>,
  state: ConnectionState<Message>,
  cause: unknown,
): void {
  const { core, regions } = state.port;
  const error = new OverlappedError('MESSAGE_MALFORMED', undefined, { syscall: 'decode', cause });
  core.exports.connectionReject(regions.worker, state.slot, layout.ERROR_MESSAGE_MALFORMED);
  failed(connection, state, error);
}

/** Reported once; the connection closes by itself, and takes a last message until then. */
function failed<Message>(
  connection: Connection<Message>,
  state: ConnectionState<Message>,
  error: OverlappedError,
): void {
  state.error ??= error;
  state.watchClose();
  state.queue?.end(error);
  state.asked?.fail(error);
  const quiet = state.closing;
  if (!quiet) reportError(connection, state, error);
  state.closing = true;
}

function closed<Message>(
  connection: Connection<Message>,
  state: ConnectionState<Message>,
  result: number,
  systemError: number,
): void {
  const { port, slot, group } = state;
  state.lastStatistics = connectionStatistics(port.core, port.recordOf(slot));
  if (result < 0) state.error ??= port.errorOf(result, 'connection', systemError);
  state.gone = true;
  state.ended = true;
  state.closing = true;
  port.entities[slot] = undefined;
  port.profiles.release(group.profile);
  state.queue?.end(state.error);
  state.asked?.giveUp(state.error ?? state.closedError(), () =>
    port.errorOf(result || layout.ERROR_CANCELED, 'connect', systemError),
  );
  group.onGone?.(connection);
  try {
    if (state.opened) group.handlers.close?.(connection, state.error);
  } finally {
    state.asked?.close();
  }
}
