/** The thread's side of `shared`: its part of a port that several workers take completions from. */
import process from 'node:process';
import * as layout from '#generated/layout';
import { Connection } from '../../connection.ts';
import { Core } from '../../core/core.ts';
import { attachWorker } from '../../core/regions.ts';
import { groupOf } from '../../handlers.ts';
import { Port } from '../../port.ts';
import { askForSweeps } from './bell.ts';
import type { WorkerHandlers } from './context.ts';
import { HandOverDriver, type RemoteDriver } from './hand-over-driver.ts';
import { loadForWorker } from './load-handlers.ts';
import {
  type FromWorker,
  recordError,
  type SharedPart,
  type ToWorker,
  type WorkerStart,
} from './messages.ts';
import { postRemote } from './posted-calls.ts';
import { askAndWait, type Question } from './questions.ts';
import { RemoteConnection } from './remote-connection.ts';

export class SharedWorker {
  readonly #start: WorkerStart;
  readonly #post: (message: FromWorker) => void;
  #handlers: WorkerHandlers | undefined;
  #port: Port | undefined;
  #isDying = false;

  constructor(start: WorkerStart, post: (message: FromWorker) => void) {
    this.#start = start;
    this.#post = post;
  }

  /** Loads the handlers' module. */
  async load(): Promise<void> {
    const reach = (id: number) =>
      new RemoteConnection(
        id,
        postRemote(() => this.#port),
      );
    this.#handlers = await loadForWorker(this.#start, reach, this.#post);
  }

  async receive(message: ToWorker): Promise<void> {
    if (message.kind === 'join') this.#join(message.part);
    else if (message.kind === 'statistics') {
      this.#post({ ...message, statistics: this.#statistics() });
    } else if (message.kind === 'close') await this.#close();
  }

  #join(part: SharedPart): void {
    try {
      this.#port = joinPort(
        part,
        this.#handlers ?? {},
        this.#remote(part.answers),
        this.#start.watch,
      );
      this.#post({ kind: 'joined' });
    } catch (error) {
      this.#post({ kind: 'failed', what: 'listen', error: recordError(error) });
    }
  }

  #remote(answers: Int32Array): RemoteDriver {
    const ask = (question: Question) =>
      askAndWait(answers, () => this.#post({ kind: 'question', question }));
    return {
      localAddress: (handle) => ask({ ask: 'localAddress', handle }) as never,
      remoteAddress: (handle) => ask({ ask: 'remoteAddress', handle }) as never,
      systemErrorName: (handle) => ask({ ask: 'systemErrorName', handle }) as never,
      configure: (handle, options) => this.#post({ kind: 'configure', handle, options }),
      setReferenced: (handle, referenced) =>
        this.#post({ kind: 'setReferenced', handle, referenced }),
    };
  }

  #statistics() {
    const port = this.#port as Port;
    return { connections: 0, accepted: 0, acceptErrors: 0, port: port.statistics() };
  }

  async #close(): Promise<void> {
    if (this.#port === undefined) process.exit(0);
    await this.#port.driver.dispose();
    const left = { operations: 0, handles: 0, lent: 0, buffers: 0, connections: 0 };
    this.#post({ kind: 'closed', left, statistics: this.#statistics() });
  }

  /** An exception that nobody caught. What this worker has claimed is taken over by the I/O thread. */
  async die(error: unknown): Promise<void> {
    if (this.#isDying) return;
    this.#isDying = true;
    this.#post({ kind: 'dying', error: recordError(error) });
    process.exit(1);
  }

  exit(): void {}
}

/**
 * A part of a shared port, in this thread.
 * @throws OverlappedError
 */
export function joinPort(
  part: SharedPart,
  handlers: WorkerHandlers,
  remote: RemoteDriver,
  watch: Float64Array | undefined,
): Port {
  const core = Core.attach(part.core);
  const regions = attachWorker(part.regions, part.number);
  const driver = new HandOverDriver(core, regions, part.limits, part.bell, remote);
  const place = { idBase: 0, isBlocking: false, watch };
  const port = new Port(core, regions, driver, part.backend, part.sizes, place);
  // The I/O thread keeps its record for as long as there are connections.
  const profile = { ...part.profile, key: '', references: Number.POSITIVE_INFINITY };
  const group = groupOf(handlers, profile);
  port.sharing = {
    adopt: (slot, kind) => {
      const at = (port.recordOf(slot) + layout.Connection.token) >>> 3;
      const token = core.f64[at] as number;
      return new Connection({ port, slot, token, group, isOpen: kind !== layout.EVENT_OPEN });
    },
    askForSweeps: () => askForSweeps(core.i32, part.bell),
    keepsSweeping: () => false,
  };
  return port;
}
