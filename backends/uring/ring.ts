/** A pair of rings in linear memory, and the calls into the kernel that work on them. */
import * as layout from '#generated/layout';
import * as c from './constants.ts';
import { MappedRings } from './mapped-rings.ts';
import { DESCRIPTOR_RING, type NativeMemory } from './memory.ts';
import { type CheckedOptions, RING_PLACES, type RingPlace } from './options.ts';
import { copyPlaces, fillIndices, type RingWords, ringPlaces, wordsOf } from './ring-places.ts';
import { refusal, type System } from './system.ts';

/** What a kernel may refuse, from the best to what every one since 5.19 has. */
interface Attempt {
  readonly flags: number;
  readonly multishot: boolean;
  /** See `Ring.isDeferred`. */
  readonly isDeferred: boolean;
}

const COMMON = c.IORING_SETUP_CQSIZE | c.IORING_SETUP_CLAMP | c.IORING_SETUP_SUBMIT_ALL;
const COOPERATIVE = c.IORING_SETUP_COOP_TASKRUN | c.IORING_SETUP_TASKRUN_FLAG;
const DEFERRED = c.IORING_SETUP_DEFER_TASKRUN | c.IORING_SETUP_TASKRUN_FLAG;
const SINGLE = COMMON | c.IORING_SETUP_SINGLE_ISSUER;

const ATTEMPTS: readonly Attempt[] = [
  // Linux 6.1.
  { flags: SINGLE | DEFERRED, multishot: true, isDeferred: true },
  // Linux 6.0, which also has receives that complete many times.
  { flags: SINGLE | COOPERATIVE, multishot: true, isDeferred: false },
  { flags: COMMON | COOPERATIVE, multishot: false, isDeferred: false },
];

/** Longer than any send. */
const NO_LENGTH = 2 ** 32 - 1;
/** What surely fits a page of 4 KiB, heads and tails included. */
const ENTRIES_OF_A_PAGE = 64;
const COMPLETIONS_OF_A_PAGE = 128;

export class Ring {
  readonly fd: number;
  /** Receives complete many times. */
  readonly multishot: boolean;
  readonly rings: RingPlace;
  /**
   * What completes operations is put off until the ring is entered for events,
   * and is done some at a time: what a socket has brought into the caches is
   * still there as its answer goes out. `IORING_SQ_TASKRUN` tells of it, but the
   * ring's descriptor does not: only a bell does.
   */
  readonly isDeferred: boolean;
  /** Words of linear memory that the kernel shares with us. */
  readonly words: RingWords;
  readonly #system: System;
  readonly #memory: NativeMemory;
  /** io_uring_getevents_arg and the time it points to, in scratch memory of their own. */
  readonly #argument: number;
  readonly #mapped: MappedRings | undefined;
  #isOpen = true;
  #hasBuffers = false;

  /** @throws Error in words for a person */
  constructor(system: System, memory: NativeMemory, options: CheckedOptions) {
    this.#system = system;
    this.#memory = memory;
    const { fd, params, attempt, rings } = this.#setup(options);
    this.fd = fd;
    memory.keep(DESCRIPTOR_RING, fd);
    this.rings = rings;
    this.isDeferred = attempt.isDeferred;
    this.multishot = attempt.multishot && options.multishot;
    let places = ringPlaces(params, memory.rings);
    if (rings === 'mapped') {
      const kernels = ringPlaces(params, 0);
      places = copyPlaces(memory.rings);
      try {
        this.#mapped = new MappedRings(system, memory, fd, { params, kernels, ours: places });
      } catch (error) {
        memory.keep(DESCRIPTOR_RING, -1);
        system.libc.close(fd);
        throw error;
      }
    } else fillIndices(memory.core.u32, places.indices, params);
    this.words = wordsOf(places);
    const { UringPort } = layout;
    memory.put(UringPort.sqHead, places.sqHead);
    memory.put(UringPort.sqTail, places.sqTail);
    memory.put(UringPort.sqes, memory.sqes);
    memory.put(UringPort.sqMask, params.getUint32(c.io_uring_params.sq_entries, true) - 1);
    memory.put(UringPort.cqHead, places.cqHead);
    memory.put(UringPort.cqes, places.cqes);
    memory.put(UringPort.cqMask, params.getUint32(c.io_uring_params.cq_entries, true) - 1);
    memory.put(UringPort.receivePriority, this.multishot ? c.IORING_RECV_MULTISHOT : 0);
    const copies = options.zeroCopyBytes === 0 || !system.operations.has(c.IORING_OP_SEND_ZC);
    memory.put(UringPort.zeroCopyBytes, copies ? NO_LENGTH : options.zeroCopyBytes);
    this.#argument = memory.core.reserve(
      c.io_uring_getevents_arg.$size + c.__kernel_timespec.$size,
    );
    const time = this.#argument + c.io_uring_getevents_arg.$size;
    memory.put64(this.#argument + c.io_uring_getevents_arg.ts, memory.base + time);
  }

  #setup(options: CheckedOptions) {
    const { libc } = this.#system;
    const attempts = options.deferWork ? ATTEMPTS : ATTEMPTS.filter((way) => !way.isDeferred);
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
        return { fd, params: view, attempt, rings };
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

  // ------------------------------------------------------------ calls

  /** Entries written and not yet taken by the kernel. */
  get waiting(): number {
    const { u32 } = this.#memory.core;
    const { sqTail, sqHead } = this.words;
    return ((u32[sqTail] as number) - (u32[sqHead] as number)) >>> 0;
  }

  /** There are completions to be taken. */
  get hasCompletions(): boolean {
    this.#mapped?.pull();
    const { u32 } = this.#memory.core;
    return u32[this.words.cqHead] !== Atomics.load(u32, this.words.cqTail);
  }

  /** Completions that found no room in their ring, ever: they came late. */
  get overflows(): number {
    return this.#memory.core.u32[this.words.cqOverflow] as number;
  }

  /** The kernel has completions that do not fit, or work to do before it has them. */
  get wantsEntering(): boolean {
    this.#mapped?.pull();
    const flags = Atomics.load(this.#memory.core.u32, this.words.sqFlags);
    return (flags & (c.IORING_SQ_CQ_OVERFLOW | c.IORING_SQ_TASKRUN)) !== 0;
  }

  /** How many entries the kernel took, or minus its error. */
  enter(submit: number, flags: number): number {
    return this.#enter(submit, 0, flags, 0, 0);
  }

  /** Submits and waits for a completion, at most `timeoutMs` (Infinity: for ever). */
  enterAndWait(submit: number, timeoutMs: number): number {
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
    return this.#enter(submit, 1, flags, argument, bytes);
  }

  #enter(submit: number, complete: number, flags: number, argument: number, bytes: number): number {
    const { libc } = this.#system;
    this.#mapped?.push();
    const taken = libc.io_uring_enter(this.fd, submit, complete, flags, argument, bytes);
    const result = taken < 0 ? -libc.errno() : taken;
    this.#mapped?.pull();
    return result;
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

  /**
   * From now on the kernel writes to this eventfd when there is something to be
   * fetched or done, unless it is told to be silent, as it is at first.
   * @throws Error in words for a person
   */
  registerBell(fd: number): void {
    const { libc } = this.#system;
    this.silenceBell();
    const bell = new Uint8Array(new Int32Array([fd]).buffer);
    const code = libc.io_uring_register(this.fd, c.IORING_REGISTER_EVENTFD, bell, 1);
    if (code !== 0) throw new Error(refusal(libc.errno()));
  }

  silenceBell(): void {
    this.#setBell(c.IORING_CQ_EVENTFD_DISABLED);
  }

  /** What came before was not rung for: look at the rings once more. */
  unsilenceBell(): void {
    this.#setBell(0);
  }

  #setBell(flags: number): void {
    if (this.#mapped === undefined) {
      Atomics.store(this.#memory.core.u32, this.words.cqFlags, flags);
    } else this.#mapped.setFlags(flags);
  }

  /** Nothing may be pending: the kernel forgets buffers and rings. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { libc } = this.#system;
    if (this.#hasBuffers) {
      libc.io_uring_register(this.fd, c.IORING_UNREGISTER_PBUF_RING, this.#bufferRing(0, 0), 1);
    }
    this.#memory.keep(DESCRIPTOR_RING, -1);
    libc.close(this.fd);
    this.#mapped?.close();
  }
}
