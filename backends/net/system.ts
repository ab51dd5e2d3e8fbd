/** What this host says about errors, addresses and sockets: one place for its oddities. */
import type { Socket } from 'node:net';
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

/** The part of a TCP or pipe handle that says whether a socket can be built around it anew. */
interface StreamHandle {
  readonly useUserBuffer?: unknown;
  readonly readStart?: unknown;
}

/** A socket that still holds its handle where the host keeps one. */
export interface HandleHolder {
  _handle?: StreamHandle | null;
}

/**
 * The handle under an accepted socket, if a new socket that reads into a buffer
 * of ours can be put around it: on Node and Deno, not on Bun.
 */
export function detachableHandle(socket: Socket): StreamHandle | undefined {
  const handle = (socket as unknown as HandleHolder)._handle;
  if (handle === undefined || handle === null) return undefined;
  const usable =
    typeof handle.useUserBuffer === 'function' && typeof handle.readStart === 'function';
  return usable ? handle : undefined;
}

interface HostGlobals {
  readonly Bun?: { readonly version: string };
  readonly Deno?: { readonly version: { readonly deno: string } };
}
const globals = globalThis as HostGlobals;

export const isBun = globals.Bun !== undefined;
export const isDeno = globals.Deno !== undefined;
