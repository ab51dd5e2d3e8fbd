/**
 * What becomes readable when a ring has something: its own descriptor, or, where
 * the kernel puts work off and tells of it by no descriptor, an eventfd that it
 * writes to. That one is silent while the ring is looked at anyway.
 */
import * as c from './constants.ts';
import { DESCRIPTOR_BELL, type NativeMemory } from './memory.ts';
import type { Ring } from './ring.ts';
import { LinuxError, type System } from './system.ts';

export class Bell {
  readonly fd: number;
  readonly #system: System;
  readonly #memory: NativeMemory;
  readonly #ring: Ring;
  readonly #isOwn: boolean;
  /** The kernel may have written to it. */
  #mayHaveRung = false;

  /** @throws Error in words for a person */
  constructor(system: System, memory: NativeMemory, ring: Ring) {
    this.#system = system;
    this.#memory = memory;
    this.#ring = ring;
    this.#isOwn = ring.isDeferred;
    this.fd = ring.fd;
    if (!this.#isOwn) return;
    const { libc } = system;
    const fd = libc.eventfd(0, c.EFD_CLOEXEC | c.EFD_NONBLOCK);
    if (fd < 0) throw new LinuxError('eventfd', libc.errno());
    try {
      ring.registerBell(fd);
    } catch (error) {
      libc.close(fd);
      throw error;
    }
    this.fd = fd;
    memory.keep(DESCRIPTOR_BELL, fd);
  }

  /**
   * From now on it rings for what comes. True if what has come before must be
   * fetched first, by entering the ring: it was not rung for.
   */
  listen(): boolean {
    if (!this.#isOwn) return false;
    if (this.#mayHaveRung) this.#system.libc.read(this.fd, new Uint8Array(8), 8);
    this.#mayHaveRung = true;
    this.#ring.unsilenceBell();
    return true;
  }

  silence(): void {
    if (this.#isOwn) this.#ring.silenceBell();
  }

  close(): void {
    if (!this.#isOwn) return;
    this.#memory.keep(DESCRIPTOR_BELL, -1);
    this.#system.libc.close(this.fd);
  }
}
