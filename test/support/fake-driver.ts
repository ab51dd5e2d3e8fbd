/** A backend that does nothing by itself: a test completes its operations by hand. */
import * as layout from '#generated/layout';
import type { BackendHost, BackendSelection, Driver, Limits } from '../../backends/backend.ts';

export interface FakeSend {
  readonly token: number;
  readonly handle: number;
  readonly bytes: Uint8Array;
}

export class FakeBackend {
  host!: BackendHost;
  ready: () => void = () => {};
  listenToken = 0;
  acceptToken = 0;
  nowMs = 1;
  readonly receives = new Map<number, number>();
  /** Tokens of the datagram receives that are pending. */
  readonly datagramReceives: number[] = [];
  /** What timers would call, when a test lets them. */
  readonly timers: (() => void)[] = [];
  /** After how long each of them was to. */
  readonly delaysMs: number[] = [];
  readonly closes = new Map<number, number>();
  readonly shutdowns = new Map<number, number>();
  readonly sends: FakeSend[] = [];
  readonly limits: Limits;

  constructor(limits: Partial<Limits> = {}) {
    this.limits = {
      receiveDepth: 1,
      sendDepth: 1,
      maxTransferBytes: 2 ** 20,
      selectsBuffers: true,
      ...limits,
    };
  }

  get selection(): BackendSelection<never> {
    return {
      name: 'fake',
      options: undefined as never,
      probe: () => ({ available: true }),
      create: (host) => {
        this.host = host;
        return this.#driver();
      },
    };
  }

  /** Completes the pending accept with a new connection of this handle. */
  accept(handle: number): void {
    this.host.complete(this.acceptToken, handle, layout.COMPLETION_MORE);
  }

  /** Bytes arrive on a connection whose receive is armed. */
  arrive(handle: number, bytes: Uint8Array): void {
    const buffer = this.host.takeBuffer();
    this.host.core.u8.set(bytes, this.host.bufferOffset(buffer));
    this.host.complete(
      this.receives.get(handle) as number,
      bytes.length,
      layout.COMPLETION_MORE | layout.COMPLETION_BUFFER,
      buffer,
    );
  }

  /** The armed receive ends: 0 for the peer's end, negative for an error. */
  endReceive(handle: number, result: number): void {
    this.host.complete(this.receives.get(handle) as number, result);
    this.receives.delete(handle);
  }

  /** Completes every close that was asked for, cancelling the armed receive first. */
  finishCloses(): void {
    for (const [handle, token] of this.closes) {
      if (this.receives.has(handle)) this.endReceive(handle, layout.ERROR_CANCELED);
      this.host.complete(token, 0);
    }
    this.closes.clear();
    this.ready();
  }

  #driver(): Driver {
    const nothing = () => {};
    return {
      limits: this.limits,
      attach: (ready) => {
        this.ready = ready;
      },
      wait: () => false,
      wake: () => queueMicrotask(this.ready),
      flush: nothing,
      listen: (token) => {
        this.listenToken = token;
        queueMicrotask(() => {
          this.host.complete(token, 0);
          this.ready();
        });
      },
      accept: (token) => {
        this.acceptToken = token;
      },
      connect: nothing,
      bind: (token) => {
        queueMicrotask(() => {
          this.host.complete(token, 1);
          this.ready();
        });
      },
      receive: (token, handle) => {
        this.receives.set(handle, token);
      },
      send: (token, handle, offset, length) => {
        const bytes = this.host.core.u8.slice(offset, offset + length);
        this.sends.push({ token, handle, bytes });
      },
      receiveFrom: (token) => {
        this.datagramReceives.push(token);
      },
      sendTo: nothing,
      shutdown: (token, handle) => {
        this.shutdowns.set(handle, token);
      },
      cancel: nothing,
      close: (token, handle) => {
        this.closes.set(handle, token);
      },
      post: nothing,
      localAddress: () => ({ address: 'fake', port: 1, family: 'IPv4' }),
      remoteAddress: () => undefined,
      configure: nothing,
      setReferenced: nothing,
      systemErrorName: () => undefined,
      now: () => this.nowMs,
      setTimer: (delayMs, callback) => {
        this.timers.push(callback);
        this.delaysMs.push(delayMs);
        return nothing;
      },
      counters: () => ({}),
      dispose: async () => ({ operations: 0, handles: 0 }),
    };
  }
}
