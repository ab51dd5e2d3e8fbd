/**
 * A connection in memory that threads share: two wires whose calls nobody
 * synchronises (`wire.ts`), or two streams with receives pending, each call of
 * which is one step (`shared-stream.ts`).
 */
import type { Core } from '../../src/core/core.ts';
import { SharedReceives } from '../shared-receives.ts';
import type { SharedSocket, SharedSocketOptions, SharedSockets } from '../shared-socket.ts';
import { SharedStream, type SharedStreamHandle } from './shared-stream.ts';
import { Wire, type WireHandle } from './wire.ts';

const WIRE = { segmentBytes: 64, segments: 256 } as const;
const STREAM_BYTES = 65_536;

/** One end: where its completions are, and the directions of which it is the receiving side. */
interface End {
  readonly received: number;
  readonly incoming: WireHandle | SharedStreamHandle;
}

interface Handle {
  readonly ends: readonly [own: End, peer: End];
  readonly datagrams: boolean;
}

/** Calls that move many segments, unguarded. */
class WireSocket implements SharedSocket {
  readonly #incoming: Wire;
  readonly #outgoing: Wire;
  readonly #received: SharedReceives;

  constructor(core: Core, own: End, peer: End, datagrams: boolean) {
    this.#incoming = Wire.attach(core, own.incoming as WireHandle, datagrams);
    this.#outgoing = Wire.attach(core, peer.incoming as WireHandle, datagrams);
    this.#received = SharedReceives.attach(core, own.received);
  }

  receive(slot: number, address: number, sizeBytes: number): void {
    const { bytes, ended } = this.#incoming.receive(address, sizeBytes);
    this.#received.push(slot, bytes > 0 || ended ? bytes : -1);
  }

  dequeue(timeoutMs: number) {
    return this.#received.take(timeoutMs);
  }

  post(packet: number): void {
    this.#received.post(packet);
  }

  send(address: number, sizeBytes: number): number {
    return this.#outgoing.send(address, sizeBytes);
  }

  finish(): void {
    this.#outgoing.finish();
  }
}

/** Receives pend; each call is one step. */
class StreamSocket implements SharedSocket {
  readonly #incoming: SharedStream;
  readonly #outgoing: SharedStream;
  readonly #received: SharedReceives;

  constructor(core: Core, own: End, peer: End) {
    this.#received = SharedReceives.attach(core, own.received);
    const others = SharedReceives.attach(core, peer.received);
    this.#incoming = new SharedStream(core, own.incoming as SharedStreamHandle, this.#received);
    this.#outgoing = new SharedStream(core, peer.incoming as SharedStreamHandle, others);
  }

  receive(slot: number, address: number, sizeBytes: number): void {
    this.#incoming.receive(slot, address, sizeBytes);
  }

  dequeue(timeoutMs: number) {
    return this.#received.take(timeoutMs);
  }

  post(packet: number): void {
    this.#received.post(packet);
  }

  send(address: number, sizeBytes: number): number {
    return this.#outgoing.send(address, sizeBytes);
  }

  finish(): void {
    this.#outgoing.finish();
  }
}

function makeEnd(core: Core, { overlapped, slots }: SharedSocketOptions): End {
  return {
    received: SharedReceives.create(core, slots),
    incoming: overlapped ? SharedStream.create(core, STREAM_BYTES, slots) : Wire.create(core, WIRE),
  };
}

const sharedSockets: SharedSockets = {
  calls: 'a model: segments pass whole and in order, a call of many segments is not guarded',
  bothEnds: true,
  async open(core, options) {
    const { datagrams, overlapped } = options;
    if (datagrams && overlapped) throw new Error('only streams have receives pending');
    const handle: Handle = { ends: [makeEnd(core, options), makeEnd(core, options)], datagrams };
    // Nothing outlives the calls.
    return { handle, port: 0, close: async () => {} };
  },
  attach(core, handle, peer) {
    const { ends, datagrams } = handle as Handle;
    const [own, other] = peer ? ([ends[1], ends[0]] as const) : ends;
    const isWire = 'segments' in own.incoming;
    return isWire
      ? new WireSocket(core, own, other, datagrams)
      : new StreamSocket(core, own, other);
  },
};

export async function loadSharedSockets(): Promise<SharedSockets> {
  return sharedSockets;
}
