/** A pair of rings in linear memory, and the calls into the kernel that work on them. */
import * as layout from '#generated/layout';
import * as c from './constants.ts';
import type { NativeMemory } from './memory.ts';
import { type CheckedOptions, RING_PLACES, type RingPlace } from './options.ts';
import { refusal, type System } from './system.ts';

/** What a kernel may refuse, from the best to what every one since 5.19 has. */
interface Attempt {
  readonly flags: number;
  readonly multishot: boolean;
}

const COMMON = c.IORING_SETUP_CQSIZE | c.IORING_SETUP_CLAMP | c.IORING_SETUP_SUBMIT_ALL;
const COOPERATIVE = c.IORING_SETUP_COOP_TASKRUN | c.IORING_SETUP_TASKRUN_FLAG;
const SINGLE = COMMON | c.IORING_SETUP_SINGLE_ISSUER;

const BLOCKING: readonly Attempt[] = [
  { flags: SINGLE | c.IORING_SETUP_DEFER_TASKRUN, multishot: true },
];
const ATTEMPTS: readonly Attempt[] = [
  // Linux 6.0, which also has receives that complete many times.
  { flags: SINGLE | COOPERATIVE, multishot: true },
  { flags: COMMON | COOPERATIVE, multishot: false },
];

/** What surely fits a page of 4 KiB, heads and tails included. */
const ENTRIES_OF_A_PAGE = 64;
const COMPLETIONS_OF_A_PAGE = 128;

export class Ring {
  readonly fd: number;
  /** Receives complete many times. */
  readonly multishot: boolean;
  readonly rings: RingPlace;
  /** Words of linear memory that the kernel shares with us. */
  readonly cqHead: number;
  readonly cqTail: number;
  readonly sqHead: number;
  readonly sqTail: number;
  readonly sqFlags: number;
  readonly cqOverflow: number;
  readonly #system: System;
  readonly #memory: NativeMemory;
  /** io_uring_getevents_arg and the time it points to, in scratch memory of their own. */
  readonly #argument: number;
  #isOpen = true;
  #hasBuffers = false;

  /** @throws Error in words for a person */
  constructor(system: System, memory: NativeMemory, options: CheckedOptions) {
    this.#system = system;
    this.#memory = memory;
    const { fd, params, attempt, rings } = this.#setup(options);
    this.fd = fd;
    this.rings = rings;
    this.multishot = attempt.multishot && options.multishot;
    const sq = c.io_uring_params.sq_off;
    const cq = c.io_uring_params.cq_off;
    const at = (field: number) => memory.rings + params.getUint32(field, true);
    this.sqHead = at(sq + c.io_sqring_offsets.head) >>> 2;
    this.sqTail = at(sq + c.io_sqring_offsets.tail) >>> 2;
    this.sqFlags = at(sq + c.io_sqring_offsets.flags) >>> 2;
    this.cqHead = at(cq + c.io_cqring_offsets.head) >>> 2;
    this.cqTail = at(cq + c.io_cqring_offsets.tail) >>> 2;
    this.cqOverflow = at(cq + c.io_cqring_offsets.overflow) >>> 2;
    const entries = params.getUint32(c.io_uring_params.sq_entries, true);
    const completions = params.getUint32(c.io_uring_params.cq_entries, true);
    // Entries are submitted in the order they lie in.
    const indices = at(sq + c.io_sqring_offsets.array) >>> 2;
    for (let index = 0; index < entries; index++) memory.core.u32[indices + index] = index;
    const { UringPort } = layout;
    memory.put(UringPort.sqHead, this.sqHead << 2);
    memory.put(UringPort.sqTail, this.sqTail << 2);
    memory.put(UringPort.sqes, memory.sqes);
    memory.put(UringPort.sqMask, entries - 1);
    memory.put(UringPort.cqHead, this.cqHead << 2);
    memory.put(UringPort.cqes, at(cq + c.io_cqring_offsets.cqes));
    memory.put(UringPort.cqMask, completions - 1);
    memory.put(UringPort.receivePriority, this.multishot ? c.IORING_RECV_MULTISHOT : 0);
    this.#argument = memory.core.reserve(
      c.io_uring_getevents_arg.$size + c.__kernel_timespec.$size,
    );
    const time = this.#argument + c.io_uring_getevents_arg.$size;
    memory.put64(this.#argument + c.io_uring_getevents_arg.ts, memory.base + time);
  }

  #setup(options: CheckedOptions) {
    const { libc } = this.#system;
    const attempts = options.blocking ? [...BLOCKING, ...ATTEMPTS] : ATTEMPTS;
    const places = options.rings === undefined ? RING_PLACES : [options.rings];
    let code = 0;
    for (const rings of places) {
      for (const attempt of attempts) {
        const params = this.#params(options, attempt.flags, rings);
        const entries = rings === 'page' ? ENTRIES_OF_A_PAGE : options.entries;
        const fd = libc.io_uring_setup(Math.min(entries, options.entries), params);
        if (fd < 0) {
          code = libc.errno();
          continue;
        }
        const view = new DataView(params.buffer);
        if (rings !== 'mapped' || this.#map(fd, view)) return { fd, params: view, attempt, rings };
        code = libc.errno();
        libc.close(fd);
      }
    }
    throw new Error(refusal(code));
  }

  #params(options: CheckedOptions, flags: number, rings: RingPlace): Uint8Array {
    const { io_uring_params: record, io_sqring_offsets, io_cqring_offsets } = c;
    const params = new Uint8Array(record.$size);
    const view = new DataView(params.buffer);
    const own = rings === 'mapped' ? 0 : c.IORING_SETUP_NO_MMAP;
    view.setUint32(record.flags, flags | own, true);
    const completions = rings === 'page' ? COMPLETIONS_OF_A_PAGE : options.completionEntries;
    view.setUint32(record.cq_entries, Math.min(completions, options.completionEntries), true);
    if (rings !== 'mapped') {
      const { base, rings: ringsAt, sqes } = this.#memory;
      // `user_addr`: the entries' with the submission ring, all else with the other.
      const sq = record.sq_off + io_sqring_offsets.resv2;
      const cq = record.cq_off + io_cqring_offsets.resv2;
      view.setBigUint64(sq, BigInt(base + sqes), true);
      view.setBigUint64(cq, BigInt(base + ringsAt), true);
    }
    return params;
  }

  /**
   * Lays the kernel's rings over whole pages of ours, where all that works on
   * rings of our own finds them. They stay until linear memory goes. False if
   * the kernel allows no such place.
   */
  #map(fd: number, params: DataView): boolean {
    const { base, rings, ringsBytes, sqes, sqesBytes } = this.#memory;
    const bytes = params.getUint32(c.io_uring_params.sq_entries, true) * layout.URING_SQE_BYTES;
    const sq = c.IORING_OFF_SQ_RING;
    return (
      this.#mapPages(fd, base + rings, ringsBytes, this.#ringBytes(params), sq) &&
      this.#mapPages(fd, base + sqes, sqesBytes, bytes, c.IORING_OFF_SQES)
    );
  }

  /** Bytes of both rings, as the kernel has laid them out. */
  #ringBytes(params: DataView): number {
    const { io_uring_params: record, io_sqring_offsets: sq, io_cqring_offsets: cq } = c;
    const read = (field: number) => params.getUint32(field, true);
    return Math.max(
      read(record.sq_off + sq.array) + 4 * read(record.sq_entries),
      read(record.cq_off + cq.cqes) + layout.URING_CQE_BYTES * read(record.cq_entries),
    );
  }

  #mapPages(fd: number, at: number, room: number, bytes: number, offset: number): boolean {
    const { libc, pageBytes } = this.#system;
    const whole = Math.ceil(bytes / pageBytes) * pageBytes;
    if (whole > room) return false;
    const access = c.PROT_READ | c.PROT_WRITE;
    const flags = c.MAP_SHARED | c.MAP_FIXED | c.MAP_POPULATE;
    return libc.mmap(at, whole, access, flags, fd, offset) === at;
  }

  // ------------------------------------------------------------ calls

  /** Entries written and not yet taken by the kernel. */
  get waiting(): number {
    const { u32 } = this.#memory.core;
    return ((u32[this.sqTail] as number) - (u32[this.sqHead] as number)) >>> 0;
  }

  /** The kernel has completions that do not fit, or work to do before it has them. */
  get wantsEntering(): boolean {
    const flags = Atomics.load(this.#memory.core.u32, this.sqFlags);
    return (flags & (c.IORING_SQ_CQ_OVERFLOW | c.IORING_SQ_TASKRUN)) !== 0;
  }

  /** How many entries the kernel took, or minus its error. */
  enter(submit: number, flags: number): number {
    const { libc } = this.#system;
    const taken = libc.io_uring_enter(this.fd, submit, 0, flags, 0, 0);
    return taken < 0 ? -libc.errno() : taken;
  }

  /** Submits and waits for a completion, at most `timeoutMs` (Infinity: for ever). */
  enterAndWait(submit: number, timeoutMs: number): number {
    const { libc } = this.#system;
    const { base, core } = this.#memory;
    let flags = c.IORING_ENTER_GETEVENTS;
    let argument = 0;
    let bytes = 0;
    if (Number.isFinite(timeoutMs)) {
      flags |= c.IORING_ENTER_EXT_ARG;
      argument = base + this.#argument;
      bytes = c.io_uring_getevents_arg.$size;
      const time = this.#argument + c.io_uring_getevents_arg.$size;
      const seconds = Math.floor(timeoutMs / 1000);
      this.#memory.put64(time + c.__kernel_timespec.tv_sec, seconds);
      const nanoseconds = Math.floor((timeoutMs - seconds * 1000) * 1e6);
      core.u32[(time + c.__kernel_timespec.tv_nsec) >>> 2] = nanoseconds;
    }
    const taken = libc.io_uring_enter(this.fd, submit, 1, flags, argument, bytes);
    return taken < 0 ? -libc.errno() : taken;
  }

  /**
   * Gives the kernel the ring of buffers, as group 0.
   * @throws Error in words for a person
   */
  registerBuffers(count: number): void {
    const { libc } = this.#system;
    const { base, buffers } = this.#memory;
    const code = libc.io_uring_register(
      this.fd,
      c.IORING_REGISTER_PBUF_RING,
      this.#bufferRing(base + buffers, count),
      1,
    );
    if (code !== 0) throw new Error(refusal(libc.errno()));
    this.#hasBuffers = true;
  }

  #bufferRing(address: number, count: number): Uint8Array {
    const record = new Uint8Array(c.io_uring_buf_reg.$size);
    const view = new DataView(record.buffer);
    view.setBigUint64(c.io_uring_buf_reg.ring_addr, BigInt(address), true);
    view.setUint32(c.io_uring_buf_reg.ring_entries, count, true);
    return record;
  }

  /** Nothing may be pending: the kernel forgets buffers and rings. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { libc } = this.#system;
    if (this.#hasBuffers) {
      libc.io_uring_register(this.fd, c.IORING_UNREGISTER_PBUF_RING, this.#bufferRing(0, 0), 1);
    }
    libc.close(this.fd);
  }
}
