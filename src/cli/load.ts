/** Loads an echo server over several connections and checks every reply (R11). */
import { Buffer } from 'node:buffer';
import {
  type BackendName,
  type BackendSelection,
  type Connection,
  type ConnectOptions,
  connect,
  type Framing,
  type MessageBatch,
  type OverlappedError,
} from '../index.ts';
import { Histogram } from './histogram.ts';
import { emptyTally, Ledger, type Tally } from './ledger.ts';
import type { Packets } from './packets.ts';

/** Where the server is: `path` where it is not empty, else host and port. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

export interface LoadOptions {
  readonly target: Target;
  readonly framing: Framing;
  readonly packets: Packets;
  readonly connections: number;
  /** Over all connections. */
  readonly messages: number;
  /** Messages without reply that a connection may have. */
  readonly inFlight: number;
  readonly backend: 'auto' | BackendName | BackendSelection;
  /** A connection without any reply for so long is over; what is outstanding counts as lost. */
  readonly timeoutMs: number;
}

export interface LoadResult extends Readonly<Tally> {
  /** Every message was sent and answered once, in order and unchanged, and no connection failed. */
  readonly held: boolean;
  readonly connections: number;
  /** Connections that did not end well, by the code of the error. */
  readonly errors: Readonly<Record<string, number>>;
  /** From the first message sent to the last reply. */
  readonly seconds: number;
  readonly messagesPerSecond: number;
  /** Payload there and back, in 10^6 bytes. */
  readonly megabytesPerSecond: number;
  readonly latencyMicroseconds: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly p99_9: number;
    readonly max: number;
  };
}

/** How often connections are looked at for being stuck. */
const WATCH_MS = 100;

interface Client {
  readonly ledger: Ledger;
  readonly messages: number;
  readonly connection: Connection;
  lastReplyAt: number;
  isWritable: boolean;
  isEnding: boolean;
  hasEnded: boolean;
}

export class Load {
  readonly tally: Tally = emptyTally();
  readonly #options: LoadOptions;
  readonly #latency = new Histogram();
  readonly #errors: Record<string, number> = {};
  readonly #clients: Client[] = [];
  #memory: Buffer = Buffer.alloc(0);
  #open = 0;
  #startedAt = 0;
  #lastReplyAt = 0;
  #ended: () => void = () => {};

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Connects, sends, checks, and closes again. @throws OverlappedError where a connection cannot be made */
  async run(): Promise<LoadResult> {
    const { connections, timeoutMs } = this.#options;
    const opened = await Promise.allSettled(
      Array.from({ length: connections }, () => connect(this.#connectOptions())),
    );
    const made = opened.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    const failed = opened.find((result) => result.status === 'rejected');
    if (failed) {
      for (const connection of made) connection.abort();
      throw failed.reason;
    }
    const allEnded = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    this.#startedAt = performance.now();
    this.#lastReplyAt = this.#startedAt;
    for (const [index, connection] of made.entries()) this.#start(connection, index);
    const watch = setInterval(() => this.#endStuck(timeoutMs), WATCH_MS);
    for (const client of this.#clients) this.#pump(client);
    await allEnded;
    clearInterval(watch);
    return this.#result();
  }

  #connectOptions(): ConnectOptions {
    const { target, framing, backend, timeoutMs } = this.#options;
    return {
      ...(target.path === '' ? { host: target.host, port: target.port } : { path: target.path }),
      framing,
      backend,
      connectTimeoutMs: timeoutMs,
      closeTimeoutMs: timeoutMs,
      messages: (batch) => this.#replies(batch),
      drain: (connection) => {
        const client = connection.data as Client;
        client.isWritable = true;
        this.#pump(client);
      },
      close: (connection, error) => this.#closed(connection.data as Client | undefined, error),
    };
  }

  #start(connection: Connection, index: number): void {
    const { messages, connections, packets } = this.#options;
    const share = Math.floor(messages / connections) + (index < messages % connections ? 1 : 0);
    const client: Client = {
      ledger: new Ledger(index, share, packets, this.tally),
      messages: share,
      connection,
      lastReplyAt: this.#startedAt,
      isWritable: true,
      isEnding: false,
      hasEnded: false,
    };
    connection.data = client;
    this.#clients.push(client);
    this.#open++;
  }

  #replies(batch: MessageBatch): void {
    const { bytes } = batch;
    if (bytes.buffer !== this.#memory.buffer) this.#memory = Buffer.from(bytes.buffer);
    const now = performance.now();
    this.#lastReplyAt = now;
    for (let i = 0; i < batch.length; i++) {
      const client = batch.connection(i).data as Client;
      client.lastReplyAt = now;
      const ms = client.ledger.reply(this.#memory, batch.offset(i), batch.size(i), now);
      if (ms >= 0) this.#latency.record(ms * 1000);
      this.#pump(client);
    }
  }

  #pump(client: Client): void {
    const { ledger, connection, messages } = client;
    const { inFlight } = this.#options;
    while (client.isWritable && ledger.sent < messages && ledger.outstanding < inFlight) {
      // Replies may still come out of a connection that has failed already.
      if (!connection.sendConnected) return;
      const isWelcome = connection.send(ledger.next());
      ledger.markSent(performance.now());
      client.isWritable = isWelcome;
    }
    // What comes after the last reply counts too, so the server ends the connection.
    if (ledger.answered === messages && !client.isEnding) this.#end(client);
  }

  #end(client: Client): void {
    client.isEnding = true;
    client.lastReplyAt = performance.now();
    client.connection.end();
  }

  #endStuck(timeoutMs: number): void {
    const now = performance.now();
    for (const client of this.#clients) {
      if (client.hasEnded || now - client.lastReplyAt < timeoutMs) continue;
      if (client.isEnding) client.connection.abort();
      else this.#end(client);
    }
  }

  #closed(client: Client | undefined, error: OverlappedError | undefined): void {
    if (client === undefined || client.hasEnded) return;
    client.hasEnded = true;
    client.ledger.end();
    if (error) this.#errors[error.code] = (this.#errors[error.code] ?? 0) + 1;
    if (--this.#open === 0) this.#ended();
  }

  #result(): LoadResult {
    const { tally } = this;
    const { messages, connections } = this.#options;
    const latency = this.#latency;
    const seconds = (this.#lastReplyAt - this.#startedAt) / 1000;
    const perSecond = (value: number) => (seconds > 0 ? value / seconds : 0);
    return {
      held:
        tally.sent === messages &&
        tally.received === messages &&
        tally.sequenceMismatches + tally.contentMismatches + tally.duplicates + tally.lost === 0 &&
        Object.keys(this.#errors).length === 0,
      connections,
      ...tally,
      errors: this.#errors,
      seconds,
      messagesPerSecond: perSecond(tally.received),
      megabytesPerSecond: perSecond(tally.bytesSent + tally.bytesReceived) / 1e6,
      latencyMicroseconds: {
        p50: latency.percentile(50),
        p90: latency.percentile(90),
        p99: latency.percentile(99),
        p99_9: latency.percentile(99.9),
        max: latency.max,
      },
    };
  }
}
