/** Errors of a host's socket interface as completions carry them. */
import { constants } from 'node:os';
import { ErrnoTable, resultOfErrorName } from '../errno.ts';

/** This system's error numbers. Windows' C runtime numbers are not Winsock's: there names alone count. */
export const systemErrno = new ErrnoTable(constants?.errno ?? {});

/** An error of the host as a completion carries it. */
export interface Failure {
  readonly result: number;
  readonly systemError: number;
}

interface HostError {
  readonly code?: unknown;
  readonly errors?: unknown;
}

/** Result and system number of an error that node:net, node:dgram or node:dns reported. */
export function failureOf(error: unknown): Failure {
  const name = nameOf(error);
  return { result: resultOfErrorName(name), systemError: systemErrno.numberOf(name) };
}

function nameOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { code, errors } = error as HostError;
  if (typeof code === 'string') return code;
  // Several addresses were tried: what the last one said.
  if (Array.isArray(errors) && errors.length > 0) return nameOf(errors[errors.length - 1]);
  return '';
}
