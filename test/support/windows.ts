/** What Windows has not, and what Wine hides, for tests that would otherwise ask for it. */
import { environment } from './environment.ts';

const isWindows = typeof process !== 'undefined' && process.platform === 'win32';
const isBun = 'Bun' in globalThis;

/** Whether the Windows that this runs on is Wine, which says so in its environment. */
export const IS_WINE = isWindows && environment('WINELOADER') !== undefined;

/**
 * In Wine a connection that has no receive pending loses its error, and the
 * next receive finds an end. Bun never has one pending, since it waits until a
 * socket is ready: a reset looks like an end there, and a refused connect like
 * one that succeeded. Plain `Bun.connect` in bun.exe shows the same.
 */
const bunInWine = isBun && IS_WINE;
export const SHOWS_RESETS = !bunInWine;
export const SHOWS_REFUSALS = !bunInWine;

/** In Wine 8 a socket that was told of an ICMP answer wakes none of its receives any more. */
export const HEARS_DATAGRAM_REFUSALS = !IS_WINE;

/** Paths are named pipes on Windows; Bun's own do not hold a sender back and tell errors for ends. */
export const PATHS_AT_ALL = !(isBun && isWindows);

interface Gaps {
  readonly tcp: readonly string[];
  readonly path: readonly string[];
}

/** Cases of the contract suite that a kind of endpoint cannot show here. */
export const CONTRACT_GAPS: Gaps = {
  tcp: bunInWine
    ? [
        'a peer that goes away with bytes unread is a reset',
        'a closed listener accepts no more, its connections go on',
      ]
    : [],
  path: isWindows
    ? [
        // A named pipe has one end for both directions, and no reset.
        'each side ends on its own, the client first',
        'each side ends on its own, the server first',
        'a peer that goes away with bytes unread is a reset',
        // A connect to a pipe whose listener has gone waits while a connection to it lives.
        'a closed listener accepts no more, its connections go on',
        // Wine does not know FILE_FLAG_FIRST_PIPE_INSTANCE.
        ...(IS_WINE ? ['an address in use says so'] : []),
      ]
    : [],
};

/** Cases of the conformance suite, likewise. */
export const CONFORMANCE_GAPS: Gaps = {
  tcp: [
    // There is no receive pending where the reset comes.
    ...(IS_WINE ? ['an iteration throws what ended the connection'] : []),
    ...(bunInWine
      ? ['where nobody listens a connect is refused', 'a signal closes the server']
      : []),
  ],
  path: isWindows
    ? [
        'the client ends its side; the server answers and ends after it',
        'the server ends its side; the client goes on sending',
        'without allowHalfOpen the peer’s end ends this side, after what is queued',
        'what came with the end can be answered: the last message before it is not too late',
        ...(IS_WINE ? ['a place that is taken is ADDRESS_IN_USE, and free again after close'] : []),
      ]
    : [],
};
