/**
 * Named events between processes of one user (R13): one process listens under
 * a name, another signals it. On Windows it is an event of the system's own,
 * which any program of the user can set (OpenEventW, SetEvent); elsewhere, and
 * where foreign calls cannot be had, a local socket under that name.
 */
import process from 'node:process';
import { clearTimeout, setTimeout } from 'node:timers';
import type { SystemEvents } from '../backends/backend.ts';
import { OverlappedError } from './errors.ts';
import { listenSocket, signalSocket } from './event-socket.ts';
import { systemEvents } from './registry.ts';

/** What carries a named event. */
export interface EventCarrier {
  /** In words: `Windows event`, `named pipe`, `Unix socket`. */
  readonly kind: string;
  /** Why it is not the system's own, where the system has events; undefined where all is as it should be. */
  readonly fallback: string | undefined;
}

/** A named event that this process listens to. */
export interface NamedEvent extends EventCarrier {
  /** Resolves at the first signal, and never if there is none. */
  readonly signaled: Promise<void>;
  /** Stops listening and frees the name. */
  close(): Promise<void>;
}

/**
 * A system's event is looked at this often, for less than a microsecond each:
 * to wait for it would take a thread of the host's few for the process's whole
 * life. It stays set, so that nothing is missed.
 */
const LOOK_INTERVAL_MS = 50;

/**
 * Listens to the event `name`; keeps the process alive until it is closed.
 * @throws OverlappedError ADDRESS_IN_USE if another process listens to it, ACCESS if it is another
 * user's, INVALID_OPTION if the system allows no such name
 */
export async function listenEvent(name: string): Promise<NamedEvent> {
  const { events, carrier } = await findCarrier();
  if (events === undefined) return { ...carrier, ...(await listenSocket(name)) };
  const event = events.create(name);
  let timer: NodeJS.Timeout | undefined;
  const signaled = new Promise<void>((resolve) => {
    const look = (): void => {
      if (event.isSet) resolve();
      else timer = setTimeout(look, LOOK_INTERVAL_MS);
    };
    look();
  });
  return {
    ...carrier,
    signaled,
    async close() {
      clearTimeout(timer);
      event.close();
    },
  };
}

/**
 * Signals the event `name`, and says what carried that. A system's event stays
 * set until its listener sees it; over a socket the listener has taken notice.
 * @throws OverlappedError REFUSED if nobody listens to it, ACCESS if it is another user's, TIMED_OUT if
 * the listener does not answer
 */
export async function signalEvent(name: string): Promise<EventCarrier> {
  const { events, carrier } = await findCarrier();
  if (events === undefined) {
    await signalSocket(name).catch((error: unknown) => {
      if (carrier.fallback === undefined || !isRefused(error)) throw error;
      const text = `nobody listens to the event '${name}' by a ${carrier.kind}, and one of the system's own cannot be set: ${carrier.fallback}`;
      throw new OverlappedError('REFUSED', text, { cause: error });
    });
    return carrier;
  }
  try {
    events.set(name);
    return carrier;
  } catch (error) {
    if (!isRefused(error)) throw error;
    // Its listener may be without foreign calls; the first error says it better if it is not.
    await signalSocket(name).catch(() => {
      throw error;
    });
    return { kind: SOCKET_KIND, fallback: 'its listener has no event of the system' };
  }
}

const SOCKET_KIND = process.platform === 'win32' ? 'named pipe' : 'Unix socket';

interface Found {
  readonly carrier: EventCarrier;
  readonly events?: SystemEvents;
}

async function findCarrier(): Promise<Found> {
  // Elsewhere no system has named events, and there is nothing to try.
  if (process.platform !== 'win32') return { carrier: { kind: SOCKET_KIND, fallback: undefined } };
  try {
    const events = await systemEvents();
    return { carrier: { kind: events.kind, fallback: undefined }, events };
  } catch (error) {
    const fallback = error instanceof Error ? error.message : String(error);
    return { carrier: { kind: SOCKET_KIND, fallback } };
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof OverlappedError && error.code === 'REFUSED';
}
