/** What goes between the thread that listens and its workers, and how errors cross. */
import type {
  AcceptedSocket,
  Limits,
  SocketAddress,
  StreamOptions,
} from '../../../backends/backend.ts';
import type { CoreHandle } from '../../core/core.ts';
import type { RegionSizes, Regions } from '../../core/regions.ts';
import { ERROR_CODES, type ErrorCode, OverlappedError } from '../../errors.ts';
import type { Framing } from '../../framing.ts';
import type { PortLeftovers } from '../../port.ts';
import type { PortBackend } from '../../port-opening.ts';
import type { ProfileValues } from '../../profile.ts';
import type { BackendDescription } from '../../registry.ts';
import type { ListenOptions } from '../../types.ts';
import type { Question } from './questions.ts';
import type { RemoteCall } from './remote-connection.ts';
import type { WorkerPortStatistics } from './statistics.ts';

/** Options of `listen` that can be cloned. */
export type CrossingOptions = Omit<
  ListenOptions<never>,
  | 'open'
  | 'message'
  | 'messages'
  | 'end'
  | 'drain'
  | 'error'
  | 'close'
  | 'codec'
  | 'on'
  | 'signal'
  | 'backend'
  | 'framing'
  | 'workers'
> & { readonly framing?: Framing };

/** `workerData` of an I/O worker. */
export interface WorkerStart {
  readonly index: number;
  readonly workers: number;
  readonly handlers: string;
  readonly data: unknown;
  readonly options: CrossingOptions;
  /** Added to the port's tokens: connections of all workers have different ids. */
  readonly idBase: number;
  readonly isBlocking: boolean;
  readonly scheduling: 'pinned' | 'shared';
  /** Two f64: when the worker's turn began, 0 between turns; turns so far. */
  readonly watch: Float64Array;
  /** An i32: what the worker's event loop was given to do so far: messages, and its end. */
  readonly posted: Int32Array;
  /** Longest wait in the kernel, of a port that is driven so. */
  readonly waitMs: number;
}

/** What a worker needs to work on a port that all share. */
export interface SharedPart {
  readonly core: CoreHandle;
  readonly regions: Regions;
  /** Its number on the port: from 1 on. */
  readonly number: number;
  readonly backend: PortBackend;
  readonly sizes: RegionSizes;
  readonly limits: Limits;
  readonly profile: { readonly address: number; readonly values: ProfileValues };
  /** `Driver.dequeuing`, if it has it. */
  readonly dequeuing: unknown;
  /** Index of the word that wakes the I/O thread. */
  readonly bell: number;
  /** See `SharedWaits`. */
  readonly waits: Int32Array;
  /** See `askAndWait`. */
  readonly answers: Int32Array;
}

/** What a worker that accepts nothing itself needs to know. */
export interface Adopts {
  /** Where its connections are accepted. */
  readonly address: SocketAddress;
  /** See pinned-lane.ts. */
  readonly words: Int32Array;
}

/** To a worker. */
export type ToWorker =
  | { readonly kind: 'join'; readonly part: SharedPart }
  | {
      readonly kind: 'listen';
      readonly backend: BackendDescription;
      readonly port?: number;
      /** Its connections are accepted elsewhere, and come by `adopt`. */
      readonly adopts?: Adopts;
    }
  | { readonly kind: 'adopt'; readonly accepted: AcceptedSocket }
  | {
      readonly kind: 'call';
      readonly number: number;
      readonly id: number;
      readonly call: RemoteCall;
      readonly bytes: Uint8Array | string | undefined;
    }
  | { readonly kind: 'statistics'; readonly number: number }
  | { readonly kind: 'answer'; readonly number: number; readonly error?: ErrorRecord }
  /** To `opened`: what is posted from now on wakes the worker, where that is possible. */
  | { readonly kind: 'reached' }
  | { readonly kind: 'close' };

/** What a driver leaves to whoever survives its thread: see `Driver.remains`. */
export interface Remains {
  readonly memory: WebAssembly.Memory;
  readonly remains: unknown;
}

/** From a worker. */
export type FromWorker =
  | { readonly kind: 'loaded' }
  | {
      readonly kind: 'opened';
      readonly remains: Remains | undefined;
      /** `Driver.waker`, if it has one: the worker goes on when it is told `reached`. */
      readonly waker: number | undefined;
    }
  | { readonly kind: 'listening'; readonly address: SocketAddress }
  | {
      readonly kind: 'failed';
      /** What could not be done. */
      readonly what: 'load' | 'backend' | 'listen';
      readonly error: ErrorRecord;
    }
  | { readonly kind: 'answer'; readonly number: number; readonly error?: ErrorRecord }
  | {
      readonly kind: 'call';
      readonly number: number;
      readonly id: number;
      readonly call: RemoteCall;
      readonly bytes: Uint8Array | string | undefined;
    }
  | {
      readonly kind: 'statistics';
      readonly number: number;
      readonly statistics: WorkerPortStatistics;
    }
  | { readonly kind: 'joined' }
  /** One that adopts has closed a connection, when it was asked to tell. */
  | { readonly kind: 'room' }
  | { readonly kind: 'question'; readonly question: Question }
  | { readonly kind: 'configure'; readonly handle: number; readonly options: StreamOptions }
  | { readonly kind: 'setReferenced'; readonly handle: number; readonly referenced: boolean }
  | { readonly kind: 'dying'; readonly error: ErrorRecord }
  | {
      readonly kind: 'closed';
      readonly left: PortLeftovers;
      readonly statistics: WorkerPortStatistics;
    };

/** An error as it crosses: the hosts clone classes and codes each in their way. */
export interface ErrorRecord {
  readonly code: ErrorCode | undefined;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly syscall: string | undefined;
  readonly cause: ErrorRecord | { readonly value: unknown } | undefined;
}

/** Causes of causes beyond this are left out: a chain may be a circle. */
const CAUSES_MOST = 8;

export function recordError(error: unknown, depth = 0): ErrorRecord {
  if (!(error instanceof Error)) {
    const message = String(error);
    return {
      code: undefined,
      name: 'Error',
      message,
      stack: undefined,
      syscall: undefined,
      cause: undefined,
    };
  }
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return {
    code: ERROR_CODES.find((known) => error instanceof OverlappedError && known === code),
    name: error.name,
    message: error.message,
    stack: error.stack,
    syscall: typeof syscall === 'string' ? syscall : undefined,
    cause: depth < CAUSES_MOST ? recordCause(error.cause, depth) : undefined,
  };
}

function recordCause(cause: unknown, depth: number): ErrorRecord['cause'] {
  if (cause === undefined) return undefined;
  if (cause instanceof Error) return recordError(cause, depth + 1);
  if (typeof cause !== 'object' || cause === null) return { value: String(cause) };
  // The system's own number and name.
  const { number, name } = cause as { number?: unknown; name?: unknown };
  return { value: typeof number === 'number' ? { number, name } : String(cause) };
}

export function errorFrom(record: ErrorRecord): Error {
  const cause = record.cause === undefined ? undefined : causeFrom(record.cause);
  const options = cause === undefined ? {} : { cause };
  if (record.code === undefined) {
    const error = new Error(record.message, options);
    error.name = record.name;
    if (record.stack !== undefined) error.stack = record.stack;
    return error;
  }
  // The constructor puts the code before the message.
  const message = record.message.replace(`${record.code}: `, '');
  const { syscall } = record;
  return new OverlappedError(record.code, message, {
    ...options,
    ...(syscall === undefined ? {} : { syscall }),
  });
}

function causeFrom(cause: ErrorRecord | { readonly value: unknown }): unknown {
  return 'value' in cause ? cause.value : errorFrom(cause);
}
