/**
 * Results >= 0 are counts, slots or bytes. Negative results are errors of the
 * closed set that `OverlappedError.code` names.
 */

export const ERROR_CANCELED: i32 = -1;
export const ERROR_RESET: i32 = -2;
export const ERROR_ABORTED: i32 = -3;
export const ERROR_REFUSED: i32 = -4;
export const ERROR_TIMED_OUT: i32 = -5;
export const ERROR_UNREACHABLE: i32 = -6;
export const ERROR_ADDRESS_IN_USE: i32 = -7;
export const ERROR_ACCESS: i32 = -8;
export const ERROR_NO_BUFFERS: i32 = -9;
export const ERROR_BROKEN_PIPE: i32 = -10;
export const ERROR_FRAME_TOO_LONG: i32 = -11;
export const ERROR_FRAME_MALFORMED: i32 = -12;
export const ERROR_FRAME_TRUNCATED: i32 = -13;
export const ERROR_DUPLICATE_SEQUENCE: i32 = -14;
export const ERROR_STALE_TOKEN: i32 = -15;
export const ERROR_NOT_SUPPORTED: i32 = -16;
export const ERROR_UNKNOWN: i32 = -17;
export const ERROR_OUT_OF_WINDOW: i32 = -18;
export const ERROR_INVALID_OPTION: i32 = -19;
export const ERROR_CLOSED: i32 = -20;
export const ERROR_MESSAGE_MALFORMED: i32 = -21;

/** "Nothing there (yet)": not an error, and not a slot. */
export const NOTHING: i32 = -100;
