/**
 * Sleeping in a host's event loop until a ring has completions. Node watches
 * the ring's descriptor itself. Elsewhere one thread of the host's pool waits,
 * for all rings of this thread together: a thread each would soon be all that
 * the pool has.
 *
 * No wake is lost: readiness is a state, asked for after the last look at the
 * ring, and each sleep asks anew.
 */
import process from 'node:process';
import { clearTimeout, setTimeout } from 'node:timers';
import * as c from './constants.ts';
import type { Address } from './libc.ts';
import { DESCRIPTOR_SET, DESCRIPTOR_SET_BELL, type NativeMemory } from './memory.ts';
import { LinuxError, type System } from './system.ts';

/** Wakes one driver. */
export interface Sleeper {
  /**
   * Calls back once the ring is readable, once.
   * @param referenced keeps the host's process alive meanwhile
   */
  sleep(referenced: boolean): void;
  /** Nobody waits for the call any more. */
  stop(): void;
  /** Resolves when its descriptors are given back. */
  close(): Promise<void>;
}

/** What can be had of koffi's watching of descriptors; its published type leaves out the status. */
interface Watch {
  start(options: { readable: boolean }, callback: () => void): void;
  stop(): void;
  close(): void;
  ref(): void;
  unref(): void;
}

export function createSleeper(
  system: System,
  memory: NativeMemory,
  fd: number,
  onWake: () => void,
): Sleeper {
  // In Bun it ends the process, in Deno it calls back only once.
  const isNode = process.versions.bun === undefined && process.versions.deno === undefined;
  return isNode
    ? new WatchSleeper(system, fd, onWake)
    : new ThreadSleeper(system, memory, fd, onWake);
}

/** Node's event loop has the descriptor among those that it waits for. */
class WatchSleeper implements Sleeper {
  readonly #watch: Watch;
  readonly #wake: () => void;

  constructor({ koffi }: System, fd: number, onWake: () => void) {
    this.#wake = () => {
      this.#watch.stop();
      onWake();
    };
    this.#watch = koffi.node.poll(fd, { readable: true }, this.#wake) as unknown as Watch;
    this.#watch.stop();
  }

  sleep(referenced: boolean): void {
    if (referenced) this.#watch.ref();
    else this.#watch.unref();
    this.#watch.start({ readable: true }, this.#wake);
  }

  stop(): void {
    this.#watch.stop();
  }

  async close(): Promise<void> {
    this.#watch.close();
  }
}

/** With nothing that keeps the process alive no thread may wait: that would keep it. */
const UNREFERENCED_POLL_MS = 10;

class ThreadSleeper implements Sleeper {
  readonly fd: number;
  readonly memory: NativeMemory;
  readonly #waiter: Waiter;
  readonly #onWake: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** Waits for a call, and holds the process. */
  isAsleep = false;

  constructor(system: System, memory: NativeMemory, fd: number, onWake: () => void) {
    this.fd = fd;
    this.memory = memory;
    this.#onWake = onWake;
    this.#waiter = Waiter.for(system);
    this.#waiter.add(this);
  }

  sleep(referenced: boolean): void {
    this.stop();
    if (referenced) {
      this.isAsleep = true;
      this.#waiter.arm(this);
      return;
    }
    this.#timer = setTimeout(this.#onWake, UNREFERENCED_POLL_MS);
    this.#timer.unref();
  }

  wake(): void {
    if (!this.isAsleep) return;
    this.isAsleep = false;
    this.#onWake();
  }

  stop(): void {
    clearTimeout(this.#timer);
    if (!this.isAsleep) return;
    this.isAsleep = false;
    this.#waiter.settle();
  }

  close(): Promise<void> {
    this.stop();
    return this.#waiter.remove(this);
  }
}

/** Events of one wait; others come with the next. */
const EVENTS_AT_ONCE = 16;
/** epoll_event is packed on x86-64 only. */
const EVENT = process.arch === 'x64' ? { data: 4, $size: 12 } : { data: 8, $size: 16 };

class Waiter {
  static #current: Waiter | undefined;
  readonly #system: System;
  readonly #set: number;
  /** Readable when a wait is to end: 0 in the events' data. */
  readonly #bell: number;
  /** Memory that does not move, for the events. */
  readonly #events = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer);
  readonly #address: Address;
  readonly #sleepers = new Map<number, ThreadSleeper>();
  /** Also those that have not slept yet. */
  readonly #all = new Set<ThreadSleeper>();
  /** Called as the wait ends, with nobody left. */
  #onEnd: (() => void) | undefined;
  #isWaiting = false;
  #isRung = false;

  /** The one of this thread. */
  static for(system: System): Waiter {
    Waiter.#current ??= new Waiter(system);
    return Waiter.#current;
  }

  private constructor(system: System) {
    this.#system = system;
    const { libc, koffi } = system;
    this.#address = Number(koffi.address(this.#events));
    this.#set = libc.epoll_create1(c.EPOLL_CLOEXEC);
    if (this.#set < 0) throw new LinuxError('epoll_create1', libc.errno());
    this.#bell = libc.eventfd(0, c.EFD_CLOEXEC | c.EFD_NONBLOCK);
    if (this.#bell < 0) {
      const error = new LinuxError('eventfd', libc.errno());
      libc.close(this.#set);
      throw error;
    }
    this.#control(c.EPOLL_CTL_ADD, this.#bell, c.EPOLLIN, 0);
    // A host that joins its threads as it exits would wait for this one for ever.
    process.on('exit', this.#ring);
  }

  add(sleeper: ThreadSleeper): void {
    const { fd, memory } = sleeper;
    this.#all.add(sleeper);
    memory.keep(DESCRIPTOR_SET, this.#set);
    memory.keep(DESCRIPTOR_SET_BELL, this.#bell);
    this.#control(c.EPOLL_CTL_ADD, fd, c.EPOLLONESHOT, fd);
  }

  arm(sleeper: ThreadSleeper): void {
    const { fd } = sleeper;
    this.#sleepers.set(fd, sleeper);
    this.#control(c.EPOLL_CTL_MOD, fd, c.EPOLLIN | c.EPOLLONESHOT, fd);
    if (!this.#isWaiting) this.#wait();
  }

  async remove(sleeper: ThreadSleeper): Promise<void> {
    const { fd, memory } = sleeper;
    if (!this.#all.delete(sleeper)) return;
    this.#sleepers.delete(fd);
    this.#control(c.EPOLL_CTL_DEL, fd, 0, 0);
    const isLast = this.#all.size === 0;
    if (isLast) {
      Waiter.#current = undefined;
      await this.#end();
    }
    memory.keep(DESCRIPTOR_SET, -1);
    memory.keep(DESCRIPTOR_SET_BELL, -1);
    if (isLast) {
      this.#system.libc.close(this.#set);
      this.#system.libc.close(this.#bell);
    }
  }

  /** Resolves once no thread waits. */
  async #end(): Promise<void> {
    if (this.#isWaiting) {
      await new Promise<void>((resolve) => {
        this.#onEnd = resolve;
        this.#ring();
      });
    }
    process.off('exit', this.#ring);
  }

  /** Ends the wait if nobody sleeps any more. */
  settle(): void {
    for (const { isAsleep } of this.#sleepers.values()) if (isAsleep) return;
    this.#ring();
  }

  #control(operation: number, fd: number, events: number, data: number): void {
    const event = new Uint8Array(EVENT.$size);
    const view = new DataView(event.buffer);
    view.setUint32(0, events, true);
    view.setUint32(EVENT.data, data, true);
    this.#system.libc.epoll_ctl(this.#set, operation, fd, event);
  }

  readonly #ring = (): void => {
    if (!this.#isWaiting || this.#isRung) return;
    this.#isRung = true;
    const one = new Uint8Array(8);
    one[0] = 1;
    this.#system.libc.write(this.#bell, one, 8);
  };

  #wait(): void {
    this.#isWaiting = true;
    const { libc } = this.#system;
    libc.epoll_wait.async(this.#set, this.#address, EVENTS_AT_ONCE, -1, this.#waited);
  }

  readonly #waited = (error: Error | null, count: number): void => {
    this.#isWaiting = false;
    if (this.#onEnd !== undefined) {
      this.#onEnd();
      return;
    }
    if (error !== null) throw error;
    if (this.#isRung) {
      this.#isRung = false;
      this.#system.libc.read(this.#bell, new Uint8Array(8), 8);
    }
    const view = new DataView(this.#events.buffer);
    const woken: ThreadSleeper[] = [];
    for (let index = 0; index < count; index++) {
      const fd = view.getUint32(index * EVENT.$size + EVENT.data, true);
      const sleeper = this.#sleepers.get(fd);
      if (sleeper?.isAsleep) woken.push(sleeper);
    }
    for (const sleeper of woken) sleeper.wake();
    if (this.#isWaiting) return;
    for (const { isAsleep } of this.#sleepers.values()) {
      if (isAsleep) {
        this.#wait();
        return;
      }
    }
  };
}
