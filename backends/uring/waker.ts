/** Ends a wait in the kernel from another thread: an eventfd that the waiting ring polls. */
import type { Waker } from '../backend.ts';
import * as c from './constants.ts';
import { DESCRIPTOR_WAKER, type NativeMemory } from './memory.ts';
import { type Submitter, TAG_WAKER } from './submitter.ts';
import { LinuxError, loadSystem, type System } from './system.ts';

/** The part of the thread that waits. */
export class WakerEnd {
  /** To be handed to `openWaker` in other threads, while this driver is open. */
  readonly fd: number;
  readonly #system: System;
  readonly #memory: NativeMemory;
  readonly #submitter: Submitter;
  #isArmed = false;

  /** @throws LinuxError */
  constructor(system: System, memory: NativeMemory, submitter: Submitter) {
    this.#system = system;
    this.#memory = memory;
    this.#submitter = submitter;
    const { libc } = system;
    this.fd = libc.eventfd(0, c.EFD_CLOEXEC | c.EFD_NONBLOCK);
    if (this.fd < 0) throw new LinuxError('eventfd', libc.errno());
    memory.keep(DESCRIPTOR_WAKER, this.fd);
  }

  /** The wait that comes is ended by a wake, also by one that was before. */
  arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = this.#submitter.put({
      opcode: c.IORING_OP_POLL_ADD,
      fd: this.fd,
      tag: TAG_WAKER,
      flags: c.POLLIN,
    });
  }

  /** Its completion has come. */
  completed(): void {
    this.#isArmed = false;
    this.#system.libc.read(this.fd, new Uint8Array(8), 8);
  }

  close(): void {
    this.#memory.keep(DESCRIPTOR_WAKER, -1);
    this.#system.libc.close(this.fd);
  }
}

/**
 * In any thread of the process: what wakes the driver whose `waker` this is, or
 * ends its next wait. The driver must be open now; later it need not be.
 * @throws Error in words for a person
 */
export async function openWaker(waker: number): Promise<Waker> {
  const { libc } = await loadSystem();
  // A descriptor of its own: the number may soon be somebody else's.
  const fd = libc.duplicate(waker);
  if (fd < 0) throw new LinuxError('fcntl', libc.errno());
  const one = new Uint8Array(BigUint64Array.of(1n).buffer);
  let isOpen = true;
  return {
    wake() {
      // If its count is full it is awake anyway.
      if (isOpen) libc.write(fd, one, one.length);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      libc.close(fd);
    },
  };
}
