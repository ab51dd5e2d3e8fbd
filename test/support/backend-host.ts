/**
 * A loop for tests of backends: it submits, records what completes, and checks
 * the contract's rules on every completion. Violations are collected and
 * reported by `Rig.dispose`, because an exception out of `complete` would only
 * land in the backend.
 */
import {
  BUFFER_LINK_BYTES,
  COMPLETION_BUFFER,
  COMPLETION_BYTES,
  COMPLETION_MORE,
  Completion,
  NOTHING,
  OPERATION_BYTES,
  PORT_BYTES,
  Pool,
  Port,
  QUEUE_BYTES,
  WORKER_BYTES,
  Worker,
} from '#generated/layout';
import type {
  BackendHost,
  BackendSelection,
  DatagramOptions,
  Driver,
  Endpoint,
  Leftovers,
  ListenerOptions,
  PortSizes,
  StreamOptions,
} from '../../backends/backend.ts';
import { AddressRecords } from '../../src/core/address.ts';
import { Core } from '../../src/core/core.ts';

export interface Recorded {
  readonly result: number;
  readonly flags: number;
  readonly buffer: number;
  readonly systemError: number;
  /** Copy of the received bytes, made as the completion was reported. */
  readonly bytes: Uint8Array | undefined;
  readonly final: boolean;
}

type Access = 'read' | 'write' | 'none';

/** One submitted operation. */
export class Operation {
  readonly token: number;
  readonly kind: string;
  readonly offset: number;
  readonly length: number;
  readonly access: Access;
  /** Completions that a turn has handled. */
  readonly seen: Recorded[] = [];
  /** The final completion, once a turn has handled it. */
  readonly final: Promise<Recorded>;
  /** Checksum of a lent send range when it was lent. */
  readonly checksum: number;
  #taken = 0;
  #settle: (completion: Recorded) => void = () => {};
  readonly #waiters: (() => void)[] = [];

  constructor(
    token: number,
    kind: string,
    offset: number,
    length: number,
    access: Access,
    checksum: number,
  ) {
    this.token = token;
    this.kind = kind;
    this.offset = offset;
    this.length = length;
    this.access = access;
    this.checksum = checksum;
    this.final = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get done(): boolean {
    return this.seen.at(-1)?.final ?? false;
  }

  push(completion: Recorded): void {
    this.seen.push(completion);
    if (completion.final) this.#settle(completion);
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** The next completion, in order. */
  async next(): Promise<Recorded> {
    while (this.#taken === this.seen.length) {
      if (this.done) throw new Error(`${this.kind}: nothing after the final completion`);
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    return this.seen[this.#taken++] as Recorded;
  }
}

export interface RigOptions {
  readonly buffers?: number;
  readonly bufferBytes?: number;
  readonly shared?: boolean;
  readonly memoryBytes?: number;
  /** As an I/O worker: nothing comes but by `Rig.wait`. */
  readonly worker?: boolean;
  /** Threads that may dequeue beside the driver's. */
  readonly workers?: number;
}

export const STREAM: StreamOptions = { noDelay: true, keepAliveMs: 0 };
export const LISTENER: ListenerOptions = {
  ...STREAM,
  backlog: 128,
  reusePort: false,
  ipv6Only: false,
};
export const DATAGRAM: DatagramOptions = { reuseAddress: false, broadcast: false, ipv6Only: false };

const SLOT = 2 ** 20;
/** Operations at once. */
const OPERATIONS = 4096;

/** FNV-1a. */
export function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

class TestHost implements BackendHost {
  readonly core: Core;
  readonly bufferBytes: number;
  readonly sizes: PortSizes;
  readonly operations: number;
  readonly operationCapacity = OPERATIONS;
  readonly completions: number;
  readonly port: number;
  readonly #out: number;
  readonly #rig: Rig;
  readonly #worker: number;
  readonly #buffers: number;

  constructor(rig: Rig, options: RigOptions) {
    const { buffers = 32, bufferBytes = 4096, shared = false, memoryBytes = 64 << 20 } = options;
    this.#rig = rig;
    this.sizes = { maxConnections: 1024, maxOperations: OPERATIONS, workers: options.workers ?? 0 };
    this.core = Core.create({ shared, memoryBytes });
    this.bufferBytes = bufferBytes;
    const { core } = this;
    const put = (record: number, field: number, value: number) => {
      core.u32[(record + field) >>> 2] = value;
    };
    const links = core.reserve(core.exports.poolLinksBytes(buffers));
    this.#buffers = core.reserve(Pool.$size);
    const slots = core.reserve(buffers * bufferBytes);
    core.exports.poolInit(this.#buffers, links, slots, bufferBytes, buffers);
    this.port = core.reserve(PORT_BYTES);
    put(this.port, Port.buffers, this.#buffers);
    put(this.port, Port.bufferLinks, core.reserve(buffers * BUFFER_LINK_BYTES));
    put(this.port, Port.bufferBytes, bufferBytes);
    this.#worker = core.reserve(WORKER_BYTES);
    put(this.#worker, Worker.port, this.port);
    this.operations = core.reserve(OPERATIONS * OPERATION_BYTES);
    this.completions = core.reserve(QUEUE_BYTES);
    core.exports.queueInit(
      this.completions,
      core.reserve(OPERATIONS * COMPLETION_BYTES),
      Math.log2(OPERATIONS),
    );
    this.#out = core.reserve(COMPLETION_BYTES);
  }

  /** Passes on what native code has reported. */
  takeNative(): void {
    const { core } = this;
    const { token, result, flags, buffer, systemError } = Completion;
    while (core.exports.queuePop(this.completions, this.#out) === 1) {
      this.#rig.record(
        core.f64[(this.#out + token) >>> 3] as number,
        core.i32[(this.#out + result) >>> 2] as number,
        core.u32[(this.#out + flags) >>> 2] as number,
        core.i32[(this.#out + buffer) >>> 2] as number,
        core.i32[(this.#out + systemError) >>> 2] as number,
      );
    }
  }

  get buffersInUse(): number {
    return this.core.exports.poolInUse(this.#buffers);
  }

  complete(token: number, result: number, flags = 0, buffer = NOTHING, systemError = 0): void {
    // In the order in which the backend reported them.
    this.takeNative();
    this.#rig.record(token, result, flags, buffer, systemError);
  }

  takeBuffer(): number {
    return this.core.exports.bufferTake(this.#worker);
  }

  bufferOffset(slot: number): number {
    return this.core.exports.poolAddress(this.#buffers, slot) >>> 0;
  }

  returnBuffer(slot: number): void {
    const start = this.bufferOffset(slot);
    this.core.u8.fill(0xdb, start, start + this.bufferBytes);
    if (this.core.exports.bufferReturn(this.#worker, slot) < 0) {
      this.#rig.violations.push(`buffer ${slot} returned twice`);
    }
  }
}

/** A driver under test. */
export class Rig {
  readonly host: TestHost;
  readonly violations: string[] = [];
  driver!: Driver;
  /** Turns that `ready` began. */
  turns = 0;
  /** While true, buffers of handled completions are kept instead of returned. */
  holdBuffers = false;
  readonly held: number[] = [];
  readonly addresses: AddressRecords;
  readonly #operations = new Map<number, Operation>();
  readonly #generations: number[] = [];
  readonly #freeSlots: number[] = [];
  #queue: { operation: Operation; completion: Recorded }[] = [];
  #inside = false;
  #flushing = false;
  #disposed = false;

  private constructor(options: RigOptions) {
    this.host = new TestHost(this, options);
    this.addresses = new AddressRecords(this.host.core.u8);
  }

  static async open<Options>(
    selection: BackendSelection<Options>,
    options: RigOptions = {},
  ): Promise<Rig> {
    const rig = new Rig(options);
    rig.driver = await selection.create(rig.host, selection.options);
    if (!options.worker) rig.driver.attach(() => rig.#turn());
    return rig;
  }

  /** Operations without a final completion. */
  get pending(): Operation[] {
    return [...this.#operations.values()];
  }

  // ---------------------------------------------------------------- operations

  listen(endpoint: Endpoint, options: Partial<ListenerOptions> = {}): Operation {
    return this.#submit('listen', (token) =>
      this.driver.listen(token, endpoint, { ...LISTENER, ...options }),
    );
  }

  accept(listener: number): Operation {
    return this.#submit('accept', (token) => this.driver.accept(token, listener));
  }

  connect(endpoint: Endpoint, options: Partial<StreamOptions> = {}): Operation {
    return this.#submit('connect', (token) =>
      this.driver.connect(token, endpoint, { ...STREAM, ...options }),
    );
  }

  bind(endpoint: Endpoint, options: Partial<DatagramOptions> = {}): Operation {
    return this.#submit('bind', (token) =>
      this.driver.bind(token, endpoint, { ...DATAGRAM, ...options }),
    );
  }

  /** Arms a receive, or lends a range of `length` bytes where the loop chooses the buffer. */
  receive(handle: number, length = 4096): Operation {
    if (this.driver.limits.selectsBuffers) {
      return this.#submit('receive', (token) => this.driver.receive(token, handle, 0, 0));
    }
    const offset = this.host.core.reserve(length);
    return this.#submit(
      'receive',
      (token) => this.driver.receive(token, handle, offset, length),
      offset,
      length,
      'write',
    );
  }

  send(handle: number, data: Uint8Array | string): Operation {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    const offset = this.host.core.reserve(bytes.length);
    this.host.core.u8.set(bytes, offset);
    return this.#submit(
      'send',
      (token) => this.driver.send(token, handle, offset, bytes.length),
      offset,
      bytes.length,
      'read',
    );
  }

  /** Lends room for `payloadBytes` and the address before them. */
  receiveFrom(handle: number, payloadBytes = 2048): Operation {
    const length = payloadBytes + 24;
    const offset = this.host.core.reserve(length);
    return this.#submit(
      'receiveFrom',
      (token) => this.driver.receiveFrom(token, handle, offset, length),
      offset,
      length,
      'write',
    );
  }

  /** Without `to`: to the connected peer. */
  sendTo(
    handle: number,
    data: Uint8Array | string,
    to?: { address: string; port: number },
  ): Operation {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    const offset = this.host.core.reserve(bytes.length + 24);
    if (to !== undefined && !this.addresses.write(offset, to.address, to.port)) {
      throw new Error(`not an address: ${to.address}`);
    }
    this.host.core.u8.set(bytes, offset + 24);
    return this.#submit(
      'sendTo',
      (token) => this.driver.sendTo(token, handle, offset, bytes.length + 24),
      offset,
      bytes.length + 24,
      'read',
    );
  }

  shutdown(handle: number): Operation {
    return this.#submit('shutdown', (token) => this.driver.shutdown(token, handle));
  }

  close(handle: number, reset = false): Operation {
    return this.#submit('close', (token) => this.driver.close(token, handle, reset));
  }

  post(): Operation {
    return this.#submit('post', (token) => this.driver.post(token));
  }

  cancel(operation: Operation): void {
    this.#inside = true;
    this.driver.cancel(operation.token);
    this.#inside = false;
    this.#flushSoon();
  }

  /** Hands the turn's batch over now instead of at the end of the microtask. */
  flush(): void {
    this.#inside = true;
    this.driver.flush();
    this.#inside = false;
  }

  /** Blocks the thread for completions, and handles them. False if none came in time. */
  wait(timeoutMs: number): boolean {
    const came = this.driver.wait(timeoutMs);
    this.#turn();
    return came;
  }

  /** Gives back the buffers that were held. */
  releaseHeld(): void {
    this.holdBuffers = false;
    for (const buffer of this.held.splice(0)) this.host.returnBuffer(buffer);
  }

  /** Ends the driver and checks what it left. Throws if a rule was broken. */
  async dispose(): Promise<Leftovers> {
    if (this.#disposed) return { operations: 0, handles: 0 };
    this.#disposed = true;
    const leftovers = await this.driver.dispose();
    this.#turn();
    this.releaseHeld();
    for (const { kind } of this.pending) this.violations.push(`${kind} never completed`);
    if (this.host.buffersInUse !== 0) {
      this.violations.push(`${this.host.buffersInUse} buffers not given back`);
    }
    if (leftovers.operations !== 0 || leftovers.handles !== 0) {
      this.violations.push(`left over: ${JSON.stringify(leftovers)}`);
    }
    if (this.violations.length > 0) throw new Error(this.violations.join('; '));
    return leftovers;
  }

  // ---------------------------------------------------------------- completions

  record(token: number, result: number, flags: number, buffer: number, systemError: number): void {
    const operation = this.#operations.get(token);
    const final = (flags & COMPLETION_MORE) === 0;
    if (operation === undefined) {
      this.violations.push(`token ${token} completed, but is not pending (result ${result})`);
      return;
    }
    if (this.#inside) this.violations.push(`${operation.kind} completed inline`);
    const { u8 } = this.host.core;
    let bytes: Uint8Array | undefined;
    if ((flags & COMPLETION_BUFFER) !== 0) {
      const start = this.host.bufferOffset(buffer);
      bytes = u8.slice(start, start + result);
    } else if (operation.access === 'write' && result > 0) {
      const start = operation.kind === 'receiveFrom' ? operation.offset + 24 : operation.offset;
      bytes = u8.slice(start, start + result);
    }
    if (final) {
      this.#operations.delete(token);
      this.#freeSlots.push(token % SLOT);
      if (operation.access === 'read') {
        const now = checksum(u8.subarray(operation.offset, operation.offset + operation.length));
        if (now !== operation.checksum)
          this.violations.push(`${operation.kind}: range was written`);
      }
      if (operation.kind === 'receive' && result > 0 && this.driver.limits.selectsBuffers) {
        this.violations.push('a receive ended with bytes');
      }
    }
    const completion = { result, flags, buffer, systemError, bytes, final };
    this.#queue.push({ operation, completion });
  }

  #turn(): void {
    this.turns++;
    this.host.takeNative();
    const queue = this.#queue;
    this.#queue = [];
    for (const { operation, completion } of queue) {
      if ((completion.flags & COMPLETION_BUFFER) !== 0) {
        const start = this.host.bufferOffset(completion.buffer);
        const now = this.host.core.u8.subarray(start, start + completion.result);
        if (checksum(now) !== checksum(completion.bytes as Uint8Array)) {
          this.violations.push('a receive buffer changed after its completion');
        }
        if (this.holdBuffers) this.held.push(completion.buffer);
        else this.host.returnBuffer(completion.buffer);
      }
      operation.push(completion);
    }
  }

  #submit(
    kind: string,
    call: (token: number) => void,
    offset = 0,
    length = 0,
    access: Access = 'none',
  ): Operation {
    const slot = this.#freeSlots.shift() ?? this.#generations.length;
    const generation = (this.#generations[slot] ?? 0) + 1;
    this.#generations[slot] = generation;
    const token = generation * SLOT + slot;
    const range = this.host.core.u8.subarray(offset, offset + length);
    const sum = access === 'read' ? checksum(range) : 0;
    const operation = new Operation(token, kind, offset, length, access, sum);
    this.#operations.set(token, operation);
    this.#inside = true;
    try {
      call(token);
    } catch (error) {
      this.violations.push(`${kind} threw ${String(error)}`);
    }
    this.#inside = false;
    this.#flushSoon();
    return operation;
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.flush();
    });
  }
}
