/**
 * A backend that does no I/O: every connection receives the same chunk again
 * and again, and what is sent counts as sent. What a turn costs then is the
 * port's own. It allocates nothing, so that what is allocated is the port's too.
 */
import type { BackendHost, BackendSelection, Driver, Limits } from '../../backends/backend.ts';

const COMPLETION_MORE = 1;
const COMPLETION_BUFFER = 2;

export class IdleBackend {
  readonly selection: BackendSelection<object>;
  readonly #limits: Limits;
  #host: BackendHost | undefined;
  #ready: () => void = () => {};
  #acceptToken = 0;
  readonly #connections: number;
  /** By connection: the token of its receive, and the range that it lends. */
  readonly #receiveTokens: Float64Array;
  readonly #receiveOffsets: Int32Array;
  #receiveCount = 0;
  readonly #sendTokens: Float64Array;
  readonly #sendOffsets: Int32Array;
  readonly #sendLengths: Int32Array;
  readonly #sendHandles: Int32Array;
  #sendCount = 0;
  /** Handed over in the last pass, for a look at what was sent. */
  readonly lastOffsets: Int32Array;
  readonly lastLengths: Int32Array;
  readonly lastHandles: Int32Array;
  lastCount = 0;

  constructor(connections: number, limits: Partial<Limits> = {}) {
    this.#connections = connections;
    this.#limits = {
      receiveDepth: 1,
      sendDepth: 16,
      maxTransferBytes: 2 ** 30,
      selectsBuffers: true,
      ...limits,
    };
    const receives = (connections + 2) * this.#limits.receiveDepth;
    const sends = (connections + 2) * this.#limits.sendDepth;
    this.#receiveTokens = new Float64Array(receives);
    this.#receiveOffsets = new Int32Array(receives);
    this.#sendTokens = new Float64Array(sends);
    this.#sendOffsets = new Int32Array(sends);
    this.#sendLengths = new Int32Array(sends);
    this.#sendHandles = new Int32Array(sends);
    this.lastOffsets = new Int32Array(sends);
    this.lastLengths = new Int32Array(sends);
    this.lastHandles = new Int32Array(sends);
    this.selection = {
      name: 'idle',
      options: {},
      probe: () => ({ available: true }),
      create: (host: BackendHost) => {
        this.#host = host;
        return this.#driver();
      },
    } as BackendSelection<object>;
  }

  /** Opens the connections. */
  connect(): void {
    const host = this.#host as BackendHost;
    for (let handle = 1; handle <= this.#connections; handle++) {
      host.complete(this.#acceptToken, handle, COMPLETION_MORE);
    }
    this.#ready();
  }

  /** Every connection receives `chunk` and answers; returns how many have received. */
  pass(chunk: Uint8Array): number {
    const host = this.#host as BackendHost;
    const { u8 } = host.core;
    const { length } = chunk;
    const count = this.#receiveCount;
    if (this.#limits.selectsBuffers) {
      for (let index = 0; index < count; index++) {
        const buffer = host.takeBuffer();
        if (buffer < 0) throw new Error('no buffer is left');
        place(u8, host.bufferOffset(buffer), chunk);
        const token = this.#receiveTokens[index] as number;
        host.complete(token, length, COMPLETION_MORE | COMPLETION_BUFFER, buffer);
      }
    } else {
      // What was submitted together completes the other way round, where more than one is pending.
      this.#receiveCount = 0;
      for (let index = count - 1; index >= 0; index--) {
        place(u8, this.#receiveOffsets[index] as number, chunk);
        host.complete(this.#receiveTokens[index] as number, length);
      }
    }
    this.#ready();
    const sends = this.#sendCount;
    this.#sendCount = 0;
    this.lastCount = sends;
    for (let index = 0; index < sends; index++) {
      this.lastOffsets[index] = this.#sendOffsets[index] as number;
      this.lastLengths[index] = this.#sendLengths[index] as number;
      this.lastHandles[index] = this.#sendHandles[index] as number;
      host.complete(this.#sendTokens[index] as number, this.#sendLengths[index] as number);
    }
    this.#ready();
    return count;
  }

  #driver(): Driver {
    const nothing = () => {};
    return {
      limits: this.#limits,
      attach: (ready) => {
        this.#ready = ready;
      },
      wait: () => false,
      wake: nothing,
      flush: nothing,
      listen: (token) => {
        queueMicrotask(() => {
          this.#host?.complete(token, 0);
          this.#ready();
        });
      },
      accept: (token) => {
        this.#acceptToken = token;
      },
      connect: nothing,
      bind: nothing,
      receive: (token, _handle, offset) => {
        const index = this.#receiveCount++;
        this.#receiveTokens[index] = token;
        this.#receiveOffsets[index] = offset;
      },
      send: (token, handle, offset, length) => {
        const index = this.#sendCount++;
        this.#sendTokens[index] = token;
        this.#sendHandles[index] = handle;
        this.#sendOffsets[index] = offset;
        this.#sendLengths[index] = length;
      },
      receiveFrom: nothing,
      sendTo: nothing,
      shutdown: nothing,
      cancel: nothing,
      close: nothing,
      post: nothing,
      localAddress: () => ({ address: 'idle', port: 1, family: 'IPv4' }),
      remoteAddress: () => undefined,
      configure: nothing,
      setReferenced: nothing,
      systemErrorName: () => undefined,
      now: () => performance.now(),
      setTimer: () => nothing,
      counters: () => ({}),
      dispose: async () => ({ operations: 0, handles: 0 }),
    } as Driver;
  }
}

/**
 * The chunk is where it belongs after the first round of buffers, for nobody
 * writes to received bytes: looking at its ends is what a network costs here.
 */
function place(u8: Uint8Array, offset: number, chunk: Uint8Array): void {
  const last = chunk.length - 1;
  if (u8[offset] === chunk[0] && u8[offset + last] === chunk[last]) return;
  u8.set(chunk, offset);
}
