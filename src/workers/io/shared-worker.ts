/** The thread's side of `shared`: its part of a port that several workers take completions from. */
import process from 'node:process';
import type { Dequeuer } from '../../../backends/backend.ts';
import { Core } from '../../core/core.ts';
import { attachWorker } from '../../core/regions.ts';
import { groupOf } from '../../handlers.ts';
import { Port } from '../../port.ts';
import { THIS_THREAD } from '../../port-place.ts';
import { openDequeuer } from '../../registry.ts';
import { endThread } from '../thread-end.ts';
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
import { WorkerPart } from './port-part.ts';
import { postRemote } from './posted-calls.ts';
import { askAndWait, type Question } from './questions.ts';
import { RemoteConnection } from './remote-connection.ts';

export class SharedWorker {
  readonly #start: WorkerStart;
  readonly #post: (message: FromWorker) => void;
  #handlers: WorkerHandlers | undefined;
  #part: WorkerPart | undefined;
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
        postRemote(() => this.#part),
      );
    this.#handlers = await loadForWorker(this.#start, reach, this.#post);
  }

  async receive(message: ToWorker): Promise<void> {
    if (message.kind === 'join') await this.#join(message.part);
    else if (message.kind === 'statistics') {
      this.#post({ ...message, statistics: this.#statistics() });
    } else if (message.kind === 'close') await this.#close();
  }

  async #join(part: SharedPart): Promise<void> {
    const { watch } = this.#start;
    let dequeuer: Dequeuer | undefined;
    try {
      const core = Core.attach(part.core);
      if (part.dequeuing !== undefined) {
        const { name } = part.backend;
        dequeuer = await openDequeuer(name, core, part.dequeuing, part.number - 1);
      }
      const remote = this.#remote(part.answers);
      this.#part = joinPort(part, core, this.#handlers ?? {}, remote, watch, dequeuer);
      this.#post({ kind: 'joined' });
    } catch (error) {
      dequeuer?.close();
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
    const { port } = this.#part as WorkerPart;
    return { connections: 0, accepted: 0, acceptErrors: 0, port: port.statistics() };
  }

  async #close(): Promise<void> {
    if (this.#part === undefined) process.exit(0);
    await this.#part.port.driver.dispose();
    endThread();
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
  core: Core,
  handlers: WorkerHandlers,
  remote: RemoteDriver,
  watch: Float64Array | undefined,
  dequeuer: Dequeuer | undefined,
): WorkerPart {
  const { backend, sizes, bell, waits } = part;
  const regions = attachWorker(part.regions, part.number);
  const driver = new HandOverDriver(core, regions, part.limits, bell, remote, dequeuer);
  // The I/O thread keeps its record for as long as there are connections.
  const profile = { ...part.profile, key: '', references: Number.POSITIVE_INFINITY };
  const group = groupOf(handlers, profile);
  const share = (port: Port) => new WorkerPart(port, waits, bell, group);
  const place = { ...THIS_THREAD, watch, share };
  return new Port({ core, regions, driver, backend, sizes }, place).share as WorkerPart;
}
