/** Values and errors as bytes: how they go to an attached thread. */
import { deserialize, serialize } from 'node:v8';
import { OverlappedError } from '../../errors.ts';
import { type ErrorRecord, errorFrom, recordError } from '../io/messages.ts';
import { TicketOutcome } from './desk-records.ts';

export interface Crossing {
  readonly outcome: number;
  readonly bytes: Uint8Array;
}

export function crossValue(value: unknown): Crossing {
  return crossAs(TicketOutcome.VALUE, value);
}

/** What a dispatch rejects with: what the handler threw, or the pool's own error. */
export function crossError(error: unknown): Crossing {
  return error instanceof OverlappedError
    ? crossAs(TicketOutcome.ERROR, recordError(error))
    : crossAs(TicketOutcome.EXCEPTION, error);
}

function crossAs(outcome: number, value: unknown): Crossing {
  try {
    return { outcome, bytes: serialize(value) };
  } catch (error) {
    // It has been cloned once already: not to be expected.
    const record = recordError(
      new OverlappedError('UNKNOWN', 'the value cannot cross', { cause: error }),
    );
    return { outcome: TicketOutcome.ERROR, bytes: serialize(record) };
  }
}

/** The value or the error in `bytes`, which are not on shared memory. */
export function crossed(outcome: number, bytes: Uint8Array): unknown {
  const value: unknown = deserialize(bytes);
  return outcome === TicketOutcome.ERROR ? errorFrom(value as ErrorRecord) : value;
}
