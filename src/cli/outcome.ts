/** How a command ends: its exit code, and the errors that stand for one. */

/** Everything held. */
export const EXIT_OK = 0;
/** The command ran, and what it checked did not hold; or it failed. */
export const EXIT_FAILED = 1;
/** The command line is wrong. */
export const EXIT_USAGE = 2;
/** Asked for something that this version or this host does not have. */
export const EXIT_NOT_SUPPORTED = 3;

/** A failure that a person can mend: one line, no stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: string;
  readonly exitCode: number;

  constructor(code: string, message: string, exitCode: number) {
    super(`${code}: ${message}`);
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** The command line is wrong: `message` says which part, and what is allowed. */
export function usageError(message: string): CommandError {
  return new CommandError('USAGE', message, EXIT_USAGE);
}

export function notSupported(message: string): CommandError {
  return new CommandError('NOT_SUPPORTED', message, EXIT_NOT_SUPPORTED);
}
