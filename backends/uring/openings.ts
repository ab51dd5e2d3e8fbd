/** What makes a socket with a handle: listen, bind and connect. Names are resolved first. */
import {
  ERROR_INVALID_OPTION,
  ERROR_NOT_SUPPORTED,
  ERROR_UNREACHABLE,
  OPERATION_CONNECT,
  OPERATION_SOCKADDR,
} from '#generated/layout';
import type { DatagramOptions, Endpoint, ListenerOptions, StreamOptions } from '../backend.ts';
import { isValidEndpoint } from '../stream/endpoint.ts';
import { failureOf } from '../stream/failure.ts';
import { isItsOwnPeer } from '../stream/itself.ts';
import { resolveTargets, type Target } from '../stream/resolve.ts';
import { removeStaleSocket } from '../stream/stale-socket.ts';
import * as c from './constants.ts';
import { type Context, type Entry, removeFile } from './context.ts';
import { Listener } from './listener.ts';
import { slotOf } from './memory.ts';
import { TAG_CONNECT } from './submitter.ts';
import { LinuxError } from './system.ts';

/** Where an attempt goes: an address, or a Unix socket. */
type Goal = Target | { readonly path: string };

/** Something that has a token and no handle yet. */
interface Opening {
  readonly token: number;
  canceled: boolean;
  /** A connect that the kernel has: its socket is under way. */
  entry: Entry | undefined;
}

interface Connecting extends Opening {
  readonly port: number;
  readonly options: StreamOptions;
  /** Not yet tried. */
  readonly goals: Goal[];
  /** What the last one said. */
  code: number;
}

type Work = (opening: Opening) => void | Promise<void>;

export class Openings {
  readonly #context: Context;
  readonly #pending = new Map<number, Opening>();
  /** By the slot of the operation. */
  readonly #connecting = new Map<number, Connecting>();

  constructor(context: Context) {
    this.#context = context;
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

  // ------------------------------------------------------------ listen

  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void {
    if ('path' in endpoint) {
      const { path } = endpoint;
      this.#begin(token, endpoint, (opening) => this.#listenAtPath(opening, path, options));
      return;
    }
    const { host, port } = endpoint;
    this.#begin(token, endpoint, async (opening) => {
      const [{ address, family }] = await resolveTargets(host);
      if (opening.canceled) return;
      const { sockets } = this.#context;
      const fd = sockets.create(family, true);
      this.#guard(opening, fd, () => {
        // A port whose last connections still linger may be taken again at once.
        sockets.option(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1);
        if (options.reusePort) sockets.option(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1);
        if (family === 6) {
          sockets.option(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, options.ipv6Only ? 1 : 0);
        }
        sockets.configure(fd, options);
        sockets.bind(fd, address, port, family);
        sockets.check('listen', sockets.libc.listen(fd, options.backlog));
        return this.#context.adopt(fd, family, 'listener', undefined, this.#listener);
      });
    });
  }

  readonly #listener = (entry: Entry) => new Listener(this.#context, entry);

  async #listenAtPath(opening: Opening, path: string, options: ListenerOptions): Promise<void> {
    try {
      this.#bindPath(opening, path, options);
    } catch (error) {
      const isTaken = error instanceof LinuxError && error.code === c.EADDRINUSE;
      // Perhaps by a file that a process left when it died.
      if (!isTaken || path.startsWith('\0') || !(await removeStaleSocket(path))) throw error;
      if (opening.canceled) return;
      this.#context.counts.staleSocketsReplaced++;
      this.#bindPath(opening, path, options);
    }
  }

  #bindPath(opening: Opening, path: string, options: ListenerOptions): void {
    const { sockets } = this.#context;
    const fd = sockets.create('path', true);
    let isBound = false;
    try {
      this.#guard(opening, fd, () => {
        sockets.bindPath(fd, path);
        isBound = true;
        sockets.check('listen', sockets.libc.listen(fd, options.backlog));
        return this.#context.adopt(fd, 'path', 'listener', path, this.#listener);
      });
    } catch (error) {
      if (isBound) removeFile(path);
      throw error;
    }
  }

  // ------------------------------------------------------------ bind

  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void {
    const { peer } = options;
    if ('path' in endpoint || (peer !== undefined && 'path' in peer)) {
      this.#context.report(token, ERROR_NOT_SUPPORTED);
      return;
    }
    const { host, port } = endpoint;
    this.#begin(token, endpoint, async (opening) => {
      const [{ address, family }] = await resolveTargets(host);
      const peers = peer === undefined ? [] : await resolveTargets(peer.host);
      if (opening.canceled) return;
      const { sockets } = this.#context;
      const fd = sockets.create(family, false);
      this.#guard(opening, fd, () => {
        if (options.reuseAddress) sockets.option(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1);
        if (options.broadcast) sockets.option(fd, c.SOL_SOCKET, c.SO_BROADCAST, 1);
        if (family === 6) {
          sockets.option(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, options.ipv6Only ? 1 : 0);
        }
        sockets.bind(fd, address, port, family);
        const other = peers[0];
        if (peer !== undefined && other !== undefined) {
          sockets.setPeer(fd, other.address, peer.port, family);
        }
        const entry = this.#context.adopt(fd, family, 'datagram');
        if (peer !== undefined) entry.remote = sockets.remoteAddress(fd);
        return entry;
      });
    });
  }

  // ------------------------------------------------------------ connect

  connect(token: number, endpoint: Endpoint, options: StreamOptions): void {
    this.#begin(token, endpoint, async (opening) => {
      const isPath = 'path' in endpoint;
      const goals = isPath ? [endpoint] : [...(await resolveTargets(endpoint.host))];
      if (opening.canceled) return;
      const port = isPath ? 0 : endpoint.port;
      this.#next(Object.assign(opening, { port, options, goals, code: 0 }));
    });
  }

  /** The completion of a connect. False if there is none in this slot. */
  connected(slot: number, result: number): boolean {
    const connecting = this.#connecting.get(slot);
    if (connecting?.entry === undefined) return false;
    this.#connecting.delete(slot);
    const { memory, sockets, host } = this.#context;
    const { entry } = connecting;
    memory.count(entry.handle, -1);
    if (result < 0 || connecting.canceled) {
      connecting.entry = undefined;
      connecting.code = -result;
      this.#drop(entry);
      this.#next(connecting);
      return true;
    }
    const { fd } = entry;
    if (isItsOwnPeer(sockets.localAddress(fd), sockets.remoteAddress(fd))) {
      connecting.entry = undefined;
      connecting.code = c.ECONNREFUSED;
      this.#drop(entry);
      this.#next(connecting);
      return true;
    }
    this.#end(connecting);
    if (entry.family !== 'path') sockets.configure(entry.fd, connecting.options);
    host.complete(connecting.token, entry.handle);
    return true;
  }

  /** Tries the next address, or reports what the last one said. */
  #next(connecting: Connecting): void {
    const { token, goals } = connecting;
    if (connecting.canceled) {
      this.#end(connecting);
      this.#context.reportCanceled(token);
      return;
    }
    const goal = goals.shift();
    if (goal === undefined) {
      this.#end(connecting);
      if (connecting.code === 0) this.#context.report(token, ERROR_UNREACHABLE);
      else this.#context.reportFailure(token, connecting.code);
      return;
    }
    try {
      this.#attempt(connecting, goal);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      connecting.code = error.code;
      this.#next(connecting);
    }
  }

  /** @throws LinuxError */
  #attempt(connecting: Connecting, goal: Goal): void {
    const { sockets, memory } = this.#context;
    const { token, port } = connecting;
    const family = 'path' in goal ? 'path' : goal.family;
    const fd = sockets.create(family, true);
    let entry: Entry;
    let nameBytes: number;
    const name = memory.recordOf(slotOf(token)) + OPERATION_SOCKADDR;
    try {
      nameBytes =
        'path' in goal
          ? sockets.writePath(name, goal.path)
          : sockets.writeAddress(name, goal.address, port, family);
      entry = this.#context.adopt(fd, family, 'stream', 'path' in goal ? goal.path : undefined);
    } catch (error) {
      sockets.close(fd);
      throw error;
    }
    memory.beginRecord(token, OPERATION_CONNECT, entry.handle);
    connecting.entry = entry;
    this.#connecting.set(slotOf(token), connecting);
    this.#submit(connecting, entry, memory.base + name, nameBytes);
  }

  #submit(connecting: Connecting, entry: Entry, address: number, offset: number): void {
    const { memory, submitter } = this.#context;
    // Called off while it waited for room.
    if (connecting.entry !== entry) return;
    const { token } = connecting;
    const { fd } = entry;
    const opcode = c.IORING_OP_CONNECT;
    if (submitter.put({ opcode, fd, tag: TAG_CONNECT, token, address, offset })) {
      memory.count(entry.handle, 1);
    } else submitter.wait(() => this.#submit(connecting, entry, address, offset));
  }

  /** A socket that nobody has heard of. */
  #drop(entry: Entry): void {
    this.#context.memory.closeHandle(entry.handle);
    this.#context.sockets.close(entry.fd);
    this.#context.memory.forgetHandle(entry.handle);
    this.#context.forget(entry);
  }

  // ------------------------------------------------------------ cancelling

  /** False if nothing that opens has this token. */
  cancel(token: number): boolean {
    const opening = this.#pending.get(token);
    if (opening === undefined) return false;
    if (opening.canceled) return true;
    opening.canceled = true;
    const { entry } = opening;
    if (entry !== undefined && this.#context.memory.pendingOf(entry.handle) > 0) {
      this.#context.cancelOperation(token, TAG_CONNECT);
      return true;
    }
    if (entry !== undefined) {
      opening.entry = undefined;
      this.#connecting.delete(slotOf(token));
      this.#drop(entry);
    }
    // It waits for a name, or for room: its answer will find nobody.
    this.#end(opening);
    this.#context.reportCanceled(token);
    return true;
  }

  cancelAll(): void {
    for (const token of [...this.#pending.keys()]) this.cancel(token);
  }

  // ------------------------------------------------------------ beginning and end

  #begin(token: number, endpoint: Endpoint, work: Work): void {
    if (!isValidEndpoint(endpoint)) {
      this.#context.report(token, ERROR_INVALID_OPTION);
      return;
    }
    const opening: Opening = { token, canceled: false, entry: undefined };
    this.#pending.set(token, opening);
    this.#context.opening++;
    this.#context.onChange();
    void this.#run(opening, work);
  }

  async #run(opening: Opening, work: Work): Promise<void> {
    try {
      await work(opening);
    } catch (error) {
      if (opening.canceled) return;
      this.#end(opening);
      if (error instanceof LinuxError) this.#context.reportFailure(opening.token, error.code);
      else {
        const { result, systemError } = failureOf(error);
        this.#context.report(opening.token, result, systemError);
      }
    }
  }

  /** Sets a fresh socket up and reports its handle; closes it if that fails. */
  #guard(opening: Opening, fd: number, work: () => Entry): void {
    let entry: Entry;
    try {
      entry = work();
    } catch (error) {
      this.#context.sockets.close(fd);
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
