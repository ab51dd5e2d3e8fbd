/** Counters, read out of linear memory when someone asks. */
import * as layout from '#generated/layout';
import type { BackendCounters } from '../backends/backend.ts';
import type { Core } from './core/core.ts';
import { portRecords, type Regions } from './core/regions.ts';

export interface ConnectionStatistics {
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  /** Bytes accepted by `send` and not yet taken by the system. */
  readonly queuedBytes: number;
}

export interface PortStatistics {
  /** Connections, listeners and datagram sockets with a record. */
  readonly connections: number;
  /** Operations that the backend has not completed. */
  readonly operationsInFlight: number;
  /** Receive buffers with bytes in them, or lent to a receive; not those that the system holds ready for any. */
  readonly buffersInUse: number;
  readonly arenaBytesUsed: number;
  readonly accepted: number;
  readonly connected: number;
  readonly closed: number;
  readonly failed: number;
  /** Connections refused because no record was free. */
  readonly rejected: number;
  readonly timeouts: number;
  /** Frames over the limit that were skipped. */
  readonly oversizeFrames: number;
  readonly completions: number;
  /** Completions whose token named nothing any more. */
  readonly staleCompletions: number;
  /** Completions that came after their connection was told to close. */
  readonly lateCompletions: number;
  readonly submissions: number;
  readonly turns: number;
  /** Times a receive found no buffer free. */
  readonly starvedReceives: number;
  readonly datagramsReceived: number;
  readonly datagramsSent: number;
  /** Errors reported to handlers, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** The backend's own counters. */
  readonly backend: BackendCounters;
}

export function connectionStatistics(core: Core, record: number): ConnectionStatistics {
  const { f64, u32 } = core;
  const fields = layout.Connection;
  return {
    bytesReceived: f64[(record + fields.bytesReceived) >>> 3] as number,
    bytesSent: f64[(record + fields.bytesSent) >>> 3] as number,
    messagesReceived: f64[(record + fields.messagesReceived) >>> 3] as number,
    messagesSent: f64[(record + fields.messagesSent) >>> 3] as number,
    queuedBytes: u32[(record + fields.queuedBytes) >>> 2] as number,
  };
}

export function portStatistics(
  core: Core,
  regions: Regions,
  errors: ReadonlyMap<string, number>,
  backend: BackendCounters,
): PortStatistics {
  const { exports, f64, u32 } = core;
  // The I/O thread of a shared port speaks for all, and of what all have together.
  const isPart = regions.index !== 0;
  const records = isPart ? [regions.port] : portRecords(regions);
  const provided = u32[(regions.port + layout.Port.provided) >>> 2] as number;
  const count = (field: number) =>
    records.reduce((sum, record) => sum + (f64[(record + field) >>> 3] as number), 0);
  const fields = layout.Port;
  return {
    connections: isPart ? 0 : exports.poolInUse(regions.connections),
    operationsInFlight: isPart ? 0 : exports.poolInUse(regions.operations),
    buffersInUse: isPart ? 0 : exports.poolInUse(regions.buffers) - provided,
    arenaBytesUsed: isPart ? 0 : exports.arenaUsed(regions.arena),
    accepted: count(fields.accepted),
    connected: count(fields.connected),
    closed: count(fields.closed),
    failed: count(fields.failed),
    rejected: count(fields.rejected),
    timeouts: count(fields.timeouts),
    oversizeFrames: count(fields.oversize),
    completions: count(fields.completed),
    staleCompletions: count(fields.stale),
    lateCompletions: count(fields.late),
    submissions: count(fields.submitted),
    turns: count(fields.turns),
    starvedReceives: count(fields.starved),
    datagramsReceived: count(fields.datagramsReceived),
    datagramsSent: count(fields.datagramsSent),
    errors: Object.fromEntries(errors),
    backend,
  };
}
