/**
 * The one error class of the package and its closed set of codes. The numbers
 * are the core's results (`assembly/layout/result.ts`).
 */
import * as layout from '#generated/layout';

/** Every code an `OverlappedError` can carry. */
export type ErrorCode =
  | 'CANCELED'
  | 'RESET'
  | 'ABORTED'
  | 'REFUSED'
  | 'TIMED_OUT'
  | 'UNREACHABLE'
  | 'ADDRESS_IN_USE'
  | 'ACCESS'
  | 'NO_BUFFERS'
  | 'BROKEN_PIPE'
  | 'FRAME_TOO_LONG'
  | 'FRAME_MALFORMED'
  | 'FRAME_TRUNCATED'
  | 'DUPLICATE_SEQUENCE'
  | 'STALE_TOKEN'
  | 'NOT_SUPPORTED'
  | 'UNKNOWN'
  | 'OUT_OF_WINDOW'
  | 'INVALID_OPTION'
  | 'CLOSED'
  | 'MESSAGE_MALFORMED';

const CODES: readonly [number, ErrorCode, string][] = [
  [layout.ERROR_CANCELED, 'CANCELED', 'the operation was cancelled'],
  [layout.ERROR_RESET, 'RESET', 'the peer reset the connection'],
  [layout.ERROR_ABORTED, 'ABORTED', 'the connection was aborted on this side'],
  [layout.ERROR_REFUSED, 'REFUSED', 'the peer refused the connection'],
  [layout.ERROR_TIMED_OUT, 'TIMED_OUT', 'the time allowed ran out'],
  [layout.ERROR_UNREACHABLE, 'UNREACHABLE', 'the address cannot be reached from here'],
  [layout.ERROR_ADDRESS_IN_USE, 'ADDRESS_IN_USE', 'the address is already in use'],
  [layout.ERROR_ACCESS, 'ACCESS', 'the system denies access'],
  [layout.ERROR_NO_BUFFERS, 'NO_BUFFERS', 'a bounded resource is used up'],
  [layout.ERROR_BROKEN_PIPE, 'BROKEN_PIPE', 'the send side is already shut down'],
  [layout.ERROR_FRAME_TOO_LONG, 'FRAME_TOO_LONG', 'a frame exceeds the limit'],
  [layout.ERROR_FRAME_MALFORMED, 'FRAME_MALFORMED', 'a frame is malformed'],
  [layout.ERROR_FRAME_TRUNCATED, 'FRAME_TRUNCATED', 'the stream ended inside a frame'],
  [layout.ERROR_DUPLICATE_SEQUENCE, 'DUPLICATE_SEQUENCE', 'the sequence number was already seen'],
  [layout.ERROR_STALE_TOKEN, 'STALE_TOKEN', 'the token names something that no longer exists'],
  [layout.ERROR_NOT_SUPPORTED, 'NOT_SUPPORTED', 'this is not supported here'],
  [layout.ERROR_UNKNOWN, 'UNKNOWN', 'the system reported an error without a counterpart here'],
  [layout.ERROR_OUT_OF_WINDOW, 'OUT_OF_WINDOW', 'the sequence number lies outside the window'],
  [layout.ERROR_INVALID_OPTION, 'INVALID_OPTION', 'an option is invalid'],
  [layout.ERROR_CLOSED, 'CLOSED', 'it is already closed'],
  [layout.ERROR_MESSAGE_MALFORMED, 'MESSAGE_MALFORMED', 'a message could not be decoded'],
];

const BY_NUMBER = new Map(CODES.map(([number, code]) => [number, code]));
const BY_CODE = new Map(CODES.map(([number, code]) => [code, number]));
const MEANING = new Map(CODES.map(([, code, meaning]) => [code, meaning]));

/** What the system itself said: its number, and its name where this host knows it. */
export interface SystemErrorCause {
  readonly number: number;
  readonly name?: string;
}

export interface OverlappedErrorOptions {
  /** The operation or system call that failed. */
  readonly syscall?: string;
  readonly cause?: unknown;
}

/**
 * The only class of error this package makes. `code` is of a closed set and
 * never localised; `syscall` names the operation; `cause` holds the system's
 * own number and name, or the exception underneath.
 */
export class OverlappedError extends Error {
  override readonly name = 'OverlappedError';
  readonly code: ErrorCode;
  readonly syscall: string | undefined;

  constructor(code: ErrorCode, message?: string, options: OverlappedErrorOptions = {}) {
    super(
      `${code}: ${message ?? MEANING.get(code)}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.syscall = options.syscall;
  }

  /** The error for a negative `result` of the core or a backend; `systemError` is the system's own number, 0 if none. */
  static fromResult(
    result: number,
    syscall?: string,
    systemError = 0,
    systemErrorName?: string,
  ): OverlappedError {
    const code = BY_NUMBER.get(result) ?? 'UNKNOWN';
    const cause: SystemErrorCause | undefined =
      systemError === 0
        ? undefined
        : systemErrorName === undefined
          ? { number: systemError }
          : { number: systemError, name: systemErrorName };
    return new OverlappedError(code, syscall ? `${syscall}: ${MEANING.get(code)}` : undefined, {
      ...(syscall === undefined ? {} : { syscall }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The core's number of a code. */
export function resultOf(code: ErrorCode): number {
  return BY_CODE.get(code) as number;
}

/** All codes, in the order of their numbers: for tests and documentation. */
export const ERROR_CODES: readonly ErrorCode[] = CODES.map(([, code]) => code);
