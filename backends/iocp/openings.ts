/** What makes a socket with a handle: listen, bind and connect. Names are resolved first. */
import {
  ERROR_INVALID_OPTION,
  ERROR_NOT_SUPPORTED,
  ERROR_UNREACHABLE,
  OPERATION_CONNECT,
  OPERATION_SOCKADDR,
  Operation,
} from '#generated/layout';
import type { DatagramOptions, Endpoint, ListenerOptions, StreamOptions } from '../backend.ts';
import { isValidEndpoint } from '../stream/endpoint.ts';
import { failureOf } from '../stream/failure.ts';
import { isItsOwnPeer } from '../stream/itself.ts';
import { resolveTargets, type Target } from '../stream/resolve.ts';
import type { AcceptTable } from './accepts.ts';
import * as c from './constants.ts';
import type { Context, Entry } from './context.ts';
import { winsockOfStatus } from './errors.ts';
import { Listener } from './listener.ts';
import { WinsockError } from './sockets.ts';
import type { Transfers } from './transfers.ts';
import type { Socket } from './win32.ts';

const SLOT_MASK = 0xfffff;

/** Something that has a token and no handle yet. */
interface Opening {
  readonly token: number;
  canceled: boolean;
  /** A connect that the system has: its socket is under way. */
  entry: Entry | undefined;
}

interface Connecting extends Opening {
  readonly port: number;
  readonly options: StreamOptions;
  /** Addresses not yet tried. */
  readonly targets: Target[];
  /** What the last one said. */
  code: number;
}

type Targets = readonly [Target, ...Target[]];
/** What is done once the name is known. */
type Work = (opening: Opening, targets: Targets, port: number) => void | Promise<void>;

export class Openings {
  readonly #context: Context;
  readonly #transfers: Transfers;
  readonly #accepts: AcceptTable;
  readonly #pending = new Map<number, Opening>();
  readonly #connecting = new Map<number, Connecting>();

  constructor(context: Context, transfers: Transfers, accepts: AcceptTable) {
    this.#context = context;
    this.#transfers = transfers;
    this.#accepts = accepts;
  }

  /** Operations begun and not completed. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Whether this socket is on its way to a peer. */
  has(entry: Entry): boolean {
    for (const connecting of this.#connecting.values()) if (connecting.entry === entry) return true;
    return false;
  }

  // ------------------------------------------------------------ listen, bind

  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void {
    if (options.reusePort) {
      // SO_REUSEADDR is no SO_REUSEPORT: on Windows it takes a port away from its owner.
      this.#context.report(token, ERROR_NOT_SUPPORTED);
      return;
    }
    this.#begin(token, endpoint, (opening, [target], port) => {
      const context = this.#context;
      const { sockets } = context;
      const socket = sockets.create(target.family, true);
      this.#guard(opening, socket, () => {
        sockets.option(socket, c.SOL_SOCKET, c.SO_EXCLUSIVEADDRUSE, 1);
        if (target.family === 6) {
          sockets.option(socket, c.IPPROTO_IPV6, c.IPV6_V6ONLY, options.ipv6Only ? 1 : 0);
        }
        sockets.bind(socket, target.address, port, target.family);
        sockets.check('listen', sockets.win32.listen(socket, options.backlog));
        const listener = new Listener(context, this.#accepts, options);
        const entry = context.adopt(socket, target.family, 'listener', () => listener);
        listener.entry = entry;
        return entry;
      });
    });
  }

  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void {
    const { peer } = options;
    if (peer !== undefined && 'path' in peer) {
      this.#context.report(token, ERROR_INVALID_OPTION);
      return;
    }
    this.#begin(token, endpoint, async (opening, [target], port) => {
      const peers = peer === undefined ? [] : await resolveTargets(peer.host);
      if (opening.canceled) return;
      const context = this.#context;
      const { sockets } = context;
      const { family } = target;
      const socket = sockets.create(family, false);
      this.#guard(opening, socket, () => {
        if (options.reuseAddress) sockets.option(socket, c.SOL_SOCKET, c.SO_REUSEADDR, 1);
        if (options.broadcast) sockets.option(socket, c.SOL_SOCKET, c.SO_BROADCAST, 1);
        if (family === 6) {
          sockets.option(socket, c.IPPROTO_IPV6, c.IPV6_V6ONLY, options.ipv6Only ? 1 : 0);
        }
        // Of a single peer one wants to know that it is gone.
        if (peer === undefined) sockets.ignoreIcmp(socket);
        sockets.bind(socket, target.address, port, family);
        const other = peers[0];
        if (peer !== undefined && other !== undefined) {
          sockets.setPeer(socket, other.address, peer.port, family);
        }
        const entry = context.adopt(socket, family, 'datagram');
        if (peer !== undefined) entry.remote = sockets.remoteAddress(socket);
        return entry;
      });
    });
  }

  // ------------------------------------------------------------ connect

  connect(token: number, endpoint: Endpoint, options: StreamOptions): void {
    this.#begin(token, endpoint, (opening, targets, port) => {
      const connecting: Connecting = Object.assign(opening, {
        port,
        options,
        targets: [...targets],
        code: 0,
      });
      this.#next(connecting);
    });
  }

  /** The packet of a ConnectEx. False if there is none in this slot. */
  connected(slot: number): boolean {
    const connecting = this.#connecting.get(slot);
    if (connecting?.entry === undefined) return false;
    this.#connecting.delete(slot);
    const { memory, sockets, host } = this.#context;
    const { entry } = connecting;
    const code = this.#outcome(entry, memory.statusOf(this.#transfers.recordOf(slot)));
    if (code !== 0) {
      connecting.entry = undefined;
      connecting.code = code;
      this.#drop(entry);
      this.#next(connecting);
      return true;
    }
    this.#end(connecting);
    const { socket } = entry;
    // Not before: a ConnectEx done at once would have no packet either.
    this.#context.skipPackets(entry);
    sockets.configure(socket, connecting.options);
    host.complete(connecting.token, entry.handle);
    return true;
  }

  /** The Winsock error of a ConnectEx whose packet was dequeued, 0 if it is connected. */
  #outcome(entry: Entry, status: number): number {
    if (status !== 0) return winsockOfStatus(status);
    const { sockets, system } = this.#context;
    const { socket } = entry;
    // Without it shutdown, getsockname and getpeername fail.
    const failed = system.win32.setsockopt(
      socket,
      c.SOL_SOCKET,
      c.SO_UPDATE_CONNECT_CONTEXT,
      null,
      0,
    );
    if (failed !== 0) return system.win32.WSAGetLastError();
    entry.remote = sockets.remoteAddress(socket);
    const local = sockets.localAddress(socket);
    return isItsOwnPeer(local, entry.remote) ? c.WSAECONNREFUSED : 0;
  }

  /** Tries the next address, or reports what the last one said. */
  #next(connecting: Connecting): void {
    const { token, targets } = connecting;
    if (connecting.canceled) {
      this.#end(connecting);
      this.#context.reportCanceled(token);
      return;
    }
    const target = targets.shift();
    if (target === undefined) {
      this.#end(connecting);
      if (connecting.code === 0) this.#context.report(token, ERROR_UNREACHABLE);
      else this.#context.reportFailure(token, connecting.code);
      return;
    }
    try {
      this.#attempt(connecting, target);
    } catch (error) {
      if (!(error instanceof WinsockError)) throw error;
      connecting.code = error.code;
      this.#next(connecting);
    }
  }

  /** @throws WinsockError */
  #attempt(connecting: Connecting, { address, family }: Target): void {
    const { sockets, memory, system } = this.#context;
    const { win32 } = system;
    const { token, port } = connecting;
    const slot = token & SLOT_MASK;
    const record = this.#transfers.recordOf(slot);
    const socket = sockets.create(family, true);
    let entry: Entry | undefined;
    try {
      // ConnectEx wants a bound socket.
      sockets.bind(socket, family === 4 ? '0.0.0.0' : '::', 0, family);
      entry = this.#context.adopt(socket, family, 'stream');
      memory.core.u8.fill(0, record, record + Operation.bufferLength);
      memory.core.u32[(record + Operation.kind) >>> 2] = OPERATION_CONNECT;
      const name = record + OPERATION_SOCKADDR;
      const nameBytes = sockets.writeAddress(name, address, port, family);
      const { base } = memory;
      const done = system.extensions.ConnectEx(
        socket,
        base + name,
        nameBytes,
        0,
        0,
        0,
        base + record,
      );
      const code = done ? 0 : win32.WSAGetLastError();
      if (code !== 0 && code !== c.WSA_IO_PENDING) throw new WinsockError('ConnectEx', code);
    } catch (error) {
      if (entry === undefined) sockets.close(socket);
      else this.#drop(entry);
      throw error;
    }
    connecting.entry = entry;
    this.#connecting.set(slot, connecting);
  }

  /** A socket that nobody has heard of. */
  #drop(entry: Entry): void {
    entry.socketClosed = true;
    this.#context.memory.keepSocket(entry.handle, 0);
    this.#context.sockets.close(entry.socket);
    this.#context.forget(entry);
  }

  // ------------------------------------------------------------ cancelling

  /** False if nothing that opens has this token. */
  cancel(token: number): boolean {
    const opening = this.#pending.get(token);
    if (opening === undefined) return false;
    if (opening.canceled) return true;
    opening.canceled = true;
    if (opening.entry !== undefined) {
      const { memory, sockets } = this.#context;
      const record = this.#transfers.recordOf(token & SLOT_MASK);
      sockets.win32.CancelIoEx(opening.entry.socket, memory.base + record);
      return true;
    }
    // It waits for a name: its answer will find nobody.
    this.#end(opening);
    this.#context.reportCanceled(token);
    return true;
  }

  cancelAll(): void {
    for (const token of [...this.#pending.keys()]) this.cancel(token);
  }

  // ------------------------------------------------------------ names

  #begin(token: number, endpoint: Endpoint, work: Work): void {
    if (!isValidEndpoint(endpoint)) {
      this.#context.report(token, ERROR_INVALID_OPTION);
      return;
    }
    if ('path' in endpoint) {
      this.#context.report(token, ERROR_NOT_SUPPORTED);
      return;
    }
    const opening: Opening = { token, canceled: false, entry: undefined };
    this.#pending.set(token, opening);
    this.#context.opening++;
    this.#context.onChange();
    void this.#resolved(opening, endpoint.host, endpoint.port, work);
  }

  async #resolved(opening: Opening, host: string, port: number, work: Work): Promise<void> {
    try {
      const targets = await resolveTargets(host);
      if (!opening.canceled) await work(opening, targets, port);
    } catch (error) {
      if (opening.canceled) return;
      this.#end(opening);
      if (error instanceof WinsockError) this.#context.reportFailure(opening.token, error.code);
      else {
        const { result, systemError } = failureOf(error);
        this.#context.report(opening.token, result, systemError);
      }
    }
  }

  /** Sets a fresh socket up and reports its handle; closes it if that fails. */
  #guard(opening: Opening, socket: Socket, work: () => Entry): void {
    let entry: Entry;
    try {
      entry = work();
    } catch (error) {
      this.#context.sockets.close(socket);
      throw error;
    }
    this.#end(opening);
    this.#context.report(opening.token, entry.handle);
  }

  #end(opening: Opening): void {
    if (!this.#pending.delete(opening.token)) return;
    this.#context.opening--;
    this.#context.onChange();
  }
}
