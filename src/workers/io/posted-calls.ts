/** Calls on connections of a shared port, posted to whichever worker takes them (R7). */
import * as layout from '#generated/layout';
import { OverlappedError } from '../../errors.ts';
import type { PortPart } from './port-part.ts';
import type { RemoteCall, RemotePost } from './remote-connection.ts';

const CALLS: Readonly<Record<RemoteCall, number>> = {
  send: layout.CALL_SEND,
  sendRaw: layout.CALL_SEND_RAW,
  end: layout.CALL_END,
  close: layout.CALL_CLOSE,
  abort: layout.CALL_ABORT,
  pause: layout.CALL_PAUSE,
  resume: layout.CALL_RESUME,
};

/** Posts by the part of the port that this thread has, if it has one now. */
export function postRemote(partOf: () => PortPart | undefined): RemotePost {
  return async (id, call, bytes) => {
    const part = partOf();
    if (part === undefined) throw new OverlappedError('CLOSED', 'the worker has no port');
    if (call === 'send' || call === 'sendRaw') {
      if (!(bytes instanceof Uint8Array) && typeof bytes !== 'string') {
        const text = 'a message from another thread is a Uint8Array or a string';
        throw new OverlappedError('INVALID_OPTION', text);
      }
    }
    const result = part.post(id, CALLS[call], bytes ?? layout.ERROR_ABORTED);
    if (result < 0) throw part.port.errorOf(result, call);
  };
}
