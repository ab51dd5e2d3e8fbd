/** The thread's side of `pinned`: a port of its own, and the listener on it. */
import process from 'node:process';
import type { AcceptedSocket } from '../../../backends/backend.ts';
import { deferred } from '../../deferred.ts';
import { OverlappedError } from '../../errors.ts';
import { Port, type PortLeftovers } from '../../port.ts';
import { describedBackend } from '../../registry.ts';
import { listenHere, type Server } from '../../server.ts';
import { endThread } from '../thread-end.ts';
import { driveBlocking } from './blocking-loop.ts';
import { Calls } from './calls.ts';
import type { WorkerHandlers } from './context.ts';
import { loadForWorker } from './load-handlers.ts';
import { type FromWorker, recordError, type ToWorker, type WorkerStart } from './messages.ts';
import { LaneEnd } from './pinned-lane.ts';
import type { WorkerPortStatistics } from './statistics.ts';

/** How long a dying worker tries to reset its connections. */
const DEATH_GRACE_MS = 1000;

export class PinnedWorker {
  readonly #start: WorkerStart;
  readonly #post: (message: FromWorker) => void;
  readonly #calls: Calls;
  #handlers: WorkerHandlers | undefined;
  #port: Port | undefined;
  #server: Server<never> | undefined;
  /** By which accepted sockets come, where this thread does not accept. */
  #lane: LaneEnd | undefined;
  /** Messages that have come. */
  #received = 0;
  /** The one who posts can wake this thread, or will not be able to. */
  readonly #reached = deferred();
  #isOver = false;
  #isDying = false;

  constructor(start: WorkerStart, post: (message: FromWorker) => void) {
    this.#start = start;
    this.#post = post;
    this.#calls = new Calls((number, id, call, bytes) =>
      post({ kind: 'call', number, id, call, bytes }),
    );
  }

  /** Loads the handlers' module. */
  async load(): Promise<void> {
    this.#handlers = await loadForWorker(
      this.#start,
      (id) => this.#calls.connection(id),
      this.#post,
    );
  }

  async receive(message: ToWorker): Promise<void> {
    this.#received++;
    switch (message.kind) {
      case 'reached':
        this.#reached.resolve();
        break;
      case 'listen':
        await this.#listen(message);
        break;
      case 'adopt':
        this.#adopt(message.accepted);
        break;
      case 'call':
        this.#perform(message);
        break;
      case 'answer':
        this.#calls.answer(message);
        break;
      case 'statistics':
        this.#post({ ...message, statistics: this.#statistics() });
        break;
      case 'close':
        await this.#close();
        break;
    }
  }

  async #listen({ backend, port, adopts }: Extract<ToWorker, { kind: 'listen' }>): Promise<void> {
    const { options, idBase, isBlocking, watch, posted, waitMs } = this.#start;
    let what: 'backend' | 'listen' = 'backend';
    try {
      const selection = await describedBackend(
        backend.name,
        isBlocking ? { ...backend.options, blocking: true } : backend.options,
      );
      const { maxConnections, receiveBufferBytes, receiveBuffers, arenaBytes, stateBytes } =
        options;
      const sizes = { maxConnections, receiveBufferBytes, receiveBuffers, arenaBytes, stateBytes };
      const given = Object.entries(sizes).filter(([, value]) => value !== undefined);
      const opened = await Port.openAt(
        // What a dead thread leaves can be seen to only in memory that is still there.
        {
          ...Object.fromEntries(given),
          backend: selection,
          shared: selection.reclaim !== undefined,
        },
        { idBase, isBlocking, watch },
      );
      this.#port = opened;
      const { remains, waker } = opened.driver;
      const { memory } = opened.core;
      this.#post({
        kind: 'opened',
        remains: remains === undefined ? undefined : { memory, remains },
        waker,
      });
      // The number must stay the driver's until it is known there: nothing can end it before.
      if (waker !== undefined) await this.#reached.promise;
      if (isBlocking) {
        driveBlocking(opened, {
          waitMs,
          isOver: () => this.#isOver,
          // A post may be here before it is counted there; the numbers may go round.
          hasPost: () => ((Atomics.load(posted, 0) - this.#received) | 0) > 0,
        });
      }
      what = 'listen';
      const others = Object.entries(options).filter(([name]) => !(name in sizes));
      const lane = adopts === undefined ? undefined : new LaneEnd(adopts.words, this.#post);
      this.#lane = lane;
      this.#server = await listenHere<never>(
        {
          ...Object.fromEntries(others),
          ...(port === undefined ? {} : { port }),
          ...(this.#handlers as object),
          reusePort: true,
          on: opened,
        },
        adopts === undefined
          ? {}
          : { adopts: { address: adopts.address, closed: () => lane?.closed() } },
      );
      this.#post({ kind: 'listening', address: this.#server.address });
    } catch (error) {
      this.#post({ kind: 'failed', what, error: recordError(error) });
    }
  }

  /** A connection that was accepted for this worker. */
  #adopt(accepted: AcceptedSocket): void {
    const server = this.#server as Server<never>;
    this.#port?.driver.adopt?.(server.listenerHandle, accepted);
    this.#lane?.taken();
  }

  /** Does what another thread asked of a connection. */
  #perform({ number, id, call, bytes }: Extract<ToWorker, { kind: 'call' }>): void {
    try {
      const connection = this.#server?.connection(id);
      if (connection === undefined) throw new OverlappedError('STALE_TOKEN');
      connection.perform(call, bytes);
      this.#post({ kind: 'answer', number });
    } catch (error) {
      this.#post({ kind: 'answer', number, error: recordError(error) });
    }
  }

  #statistics(): WorkerPortStatistics {
    const server = this.#server?.statistics();
    const { connections = 0, accepted = 0, acceptErrors = 0 } = server ?? {};
    const port = this.#port as Port;
    return { connections, accepted, acceptErrors, port: port.statistics() };
  }

  async #close(): Promise<void> {
    const port = this.#port;
    const left: PortLeftovers = (await port?.close()) ?? NOTHING_LEFT;
    this.#isOver = true;
    if (port === undefined) process.exit(0);
    endThread();
    this.#post({ kind: 'closed', left, statistics: this.#statistics() });
  }

  /** An exception that nobody caught: the thread ends, and its connections with an error. */
  async die(error: unknown): Promise<void> {
    if (this.#isDying) return;
    this.#isDying = true;
    this.#post({ kind: 'dying', error: recordError(error) });
    const port = this.#port;
    if (port !== undefined) {
      const late = new Promise((resolve) => setTimeout(resolve, DEATH_GRACE_MS));
      await Promise.race([port.abort(), late]).catch(() => {});
    }
    process.exit(1);
  }

  /** The thread ends here and now. */
  exit(): void {
    this.#isOver = true;
  }
}

const NOTHING_LEFT: PortLeftovers = {
  operations: 0,
  handles: 0,
  lent: 0,
  buffers: 0,
  connections: 0,
};
