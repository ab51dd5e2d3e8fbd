/**
 * The simulated system's own error numbers: those of Linux, so that `cause` of
 * an error looks as it does in life.
 */
import * as layout from '#generated/layout';

const SYSTEM: readonly (readonly [result: number, number: number, name: string])[] = [
  [layout.ERROR_CANCELED, 125, 'ECANCELED'],
  [layout.ERROR_RESET, 104, 'ECONNRESET'],
  [layout.ERROR_REFUSED, 111, 'ECONNREFUSED'],
  [layout.ERROR_TIMED_OUT, 110, 'ETIMEDOUT'],
  [layout.ERROR_UNREACHABLE, 113, 'EHOSTUNREACH'],
  [layout.ERROR_ADDRESS_IN_USE, 98, 'EADDRINUSE'],
  [layout.ERROR_NO_BUFFERS, 105, 'ENOBUFS'],
  [layout.ERROR_BROKEN_PIPE, 32, 'EPIPE'],
  [layout.ERROR_FRAME_TOO_LONG, 90, 'EMSGSIZE'],
  [layout.ERROR_CLOSED, 9, 'EBADF'],
  [layout.ERROR_NOT_SUPPORTED, 95, 'EOPNOTSUPP'],
  [layout.ERROR_INVALID_OPTION, 22, 'EINVAL'],
];

const NUMBERS = new Map(SYSTEM.map(([result, number]) => [result, number]));
const NAMES = new Map(SYSTEM.map(([, number, name]) => [number, name]));

export function systemErrorOf(result: number): number {
  return result < 0 ? (NUMBERS.get(result) ?? 0) : 0;
}

export function systemErrorName(number: number): string | undefined {
  return NAMES.get(number);
}
