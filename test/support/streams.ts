/** Reading and writing streams through a `Rig`, for any backend's way of receiving. */
import { ERROR_NO_BUFFERS } from '#generated/layout';
import type { Endpoint } from '../../backends/backend.ts';
import type { Operation, Rig } from './backend-host.ts';

/** Keeps a receive pending and collects what arrives. */
export class Reader {
  /** Result and system error that ended the stream. */
  readonly ended: Promise<{ result: number; systemError: number }>;
  /** Bytes so far. */
  length = 0;
  #chunks: Uint8Array[] = [];
  readonly #waiters: { length: number; resolve: () => void }[] = [];

  constructor(rig: Rig, handle: number) {
    this.ended = this.#run(rig, handle);
  }

  async #run(rig: Rig, handle: number): Promise<{ result: number; systemError: number }> {
    for (;;) {
      const operation = rig.receive(handle);
      for (;;) {
        const { result, bytes, final, systemError } = await operation.next();
        if (bytes !== undefined) this.#append(bytes);
        if (!final) continue;
        if (result > 0 || result === ERROR_NO_BUFFERS) break;
        return { result, systemError };
      }
    }
  }

  /** Waits until `length` bytes have come; gives all that came. */
  async read(length: number): Promise<Uint8Array> {
    if (this.length < length) {
      await new Promise<void>((resolve) => this.#waiters.push({ length, resolve }));
    }
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [all];
    return all;
  }

  async readText(length: number): Promise<string> {
    return new TextDecoder().decode(await this.read(length));
  }

  #append(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.length += bytes.length;
    for (const waiter of this.#waiters) if (this.length >= waiter.length) waiter.resolve();
  }
}

/** Sends all of `bytes`, whatever the backend takes at a time. */
export async function sendAll(rig: Rig, handle: number, bytes: Uint8Array): Promise<number> {
  const most = rig.driver.limits.maxTransferBytes;
  let sent = 0;
  while (sent < bytes.length) {
    const { result } = await rig.send(handle, bytes.subarray(sent, sent + most)).final;
    if (result <= 0) return result;
    sent += result;
  }
  return sent;
}

/** Deterministic bytes that differ everywhere. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}

export interface Pair {
  readonly listener: number;
  readonly accept: Operation;
  readonly client: number;
  readonly server: number;
  readonly endpoint: Endpoint;
}

/** Where to connect to reach a listener. */
export function reach(rig: Rig, listener: number, endpoint: Endpoint): Endpoint {
  if ('path' in endpoint) return endpoint;
  return { host: endpoint.host, port: rig.driver.localAddress(listener)?.port ?? 0 };
}

/** A listener with one connection, both ends on the same driver. */
export async function openPair(rig: Rig, endpoint: Endpoint): Promise<Pair> {
  const listener = (await rig.listen(endpoint).final).result;
  if (listener < 0) throw new Error(`listen: ${listener}`);
  const accept = rig.accept(listener);
  const target = reach(rig, listener, endpoint);
  const connecting = rig.connect(target);
  const server = (await accept.next()).result;
  const client = (await connecting.final).result;
  if (client < 0 || server < 0) throw new Error(`connect: ${client}, accept: ${server}`);
  return { listener, accept, client, server, endpoint: target };
}
