/**
 * Rings that the kernel has in memory of its own, for kernels that take none of
 * ours. Nothing in linear memory can reach them, so it has a copy: entries are
 * carried over before each call of the kernel, completions as they are looked for.
 */
import * as layout from '#generated/layout';
import * as c from './constants.ts';
import type { NativeMemory } from './memory.ts';
import { fillIndices, type RingPlaces } from './ring-places.ts';
import { LinuxError, type System } from './system.ts';

export interface MappedLayout {
  /** io_uring_params as the kernel has filled it. */
  readonly params: DataView;
  /** In the kernel's memory, from the first byte of its rings. */
  readonly kernels: RingPlaces;
  /** In linear memory. */
  readonly ours: RingPlaces;
}

interface Mapping {
  readonly address: number;
  readonly bytes: number;
  readonly u32: Uint32Array;
}

export class MappedRings {
  readonly #system: System;
  readonly #u32: Uint32Array;
  readonly #rings: Mapping;
  readonly #entries: Mapping;
  readonly #sqes: number;
  readonly #layout: MappedLayout;
  readonly #sqMask: number;
  readonly #cqMask: number;

  /** @throws LinuxError */
  constructor(system: System, memory: NativeMemory, fd: number, places: MappedLayout) {
    this.#system = system;
    this.#u32 = memory.core.u32;
    this.#sqes = memory.sqes;
    this.#layout = places;
    const { params, kernels } = places;
    const entries = params.getUint32(c.io_uring_params.sq_entries, true);
    const completions = params.getUint32(c.io_uring_params.cq_entries, true);
    this.#sqMask = entries - 1;
    this.#cqMask = completions - 1;
    const ringBytes = Math.max(
      kernels.indices + entries * 4,
      kernels.cqes + completions * layout.URING_CQE_BYTES,
    );
    this.#rings = this.#map(fd, ringBytes, c.IORING_OFF_SQ_RING);
    try {
      this.#entries = this.#map(fd, entries * layout.URING_SQE_BYTES, c.IORING_OFF_SQES);
    } catch (error) {
      this.#unmap(this.#rings);
      throw error;
    }
    fillIndices(this.#rings.u32, kernels.indices, params);
  }

  #map(fd: number, bytes: number, offset: number): Mapping {
    const { libc, koffi, pageBytes } = this.#system;
    const whole = Math.ceil(bytes / pageBytes) * pageBytes;
    const access = c.PROT_READ | c.PROT_WRITE;
    const address = libc.mmap(0, whole, access, c.MAP_SHARED | c.MAP_POPULATE, fd, offset);
    if (address === -1) throw new LinuxError('mmap', libc.errno());
    return { address, bytes: whole, u32: new Uint32Array(koffi.view(BigInt(address), whole)) };
  }

  #unmap({ address, bytes }: Mapping): void {
    this.#system.libc.munmap(address, bytes);
  }

  /** Entries written since the last call, and room for completions: the kernel is about to be entered. */
  push(): void {
    const { kernels, ours } = this.#layout;
    const theirs = this.#rings.u32;
    const tail = this.#u32[ours.sqTail >>> 2] as number;
    const words = layout.URING_SQE_BYTES / 4;
    for (let at = theirs[kernels.sqTail >>> 2] as number; at !== tail; at = (at + 1) >>> 0) {
      const entry = (at & this.#sqMask) * words;
      const from = (this.#sqes >>> 2) + entry;
      this.#entries.u32.set(this.#u32.subarray(from, from + words), entry);
    }
    Atomics.store(theirs, kernels.sqTail >>> 2, tail);
    this.#release();
  }

  /** What was taken from the copy makes room in the kernel's. */
  #release(): void {
    const { kernels, ours } = this.#layout;
    const taken = this.#u32[ours.cqHead >>> 2] as number;
    Atomics.store(this.#rings.u32, kernels.cqHead >>> 2, taken);
  }

  /** Completions that have come, and what the kernel says of its rings. */
  pull(): void {
    this.#release();
    const { kernels, ours } = this.#layout;
    const theirs = this.#rings.u32;
    const tail = Atomics.load(theirs, kernels.cqTail >>> 2);
    const words = layout.URING_CQE_BYTES / 4;
    for (let at = this.#u32[ours.cqTail >>> 2] as number; at !== tail; at = (at + 1) >>> 0) {
      const completion = (at & this.#cqMask) * words;
      const from = (kernels.cqes >>> 2) + completion;
      this.#u32.set(theirs.subarray(from, from + words), (ours.cqes >>> 2) + completion);
    }
    this.#u32[ours.cqTail >>> 2] = tail;
    for (const word of ['sqHead', 'sqFlags', 'cqOverflow'] as const) {
      this.#u32[ours[word] >>> 2] = Atomics.load(theirs, kernels[word] >>> 2);
    }
  }

  /** Of the completion ring. */
  setFlags(flags: number): void {
    Atomics.store(this.#rings.u32, this.#layout.kernels.cqFlags >>> 2, flags);
  }

  /** The rings are closed: nothing of this may be called any more. */
  close(): void {
    this.#unmap(this.#rings);
    this.#unmap(this.#entries);
  }
}
