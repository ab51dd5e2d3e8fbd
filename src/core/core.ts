/** One instance of the WebAssembly core and the linear memory it works on. */
import { OverlappedError } from '../errors.ts';
import {
  alignUp,
  CACHE_LINE_BYTES,
  MEMORY_BYTES_MAX,
  PAGE_BYTES,
  requireInteger,
} from './memory.ts';
import { type CoreExports, compileCore, compileCoreAsync, instantiate } from './wasm.ts';

/** Low memory that nothing is placed in: address 0 means "none" in every record. */
const RESERVED_BYTES = 1024;
/**
 * Address of the first free byte of the memory (u32), 0 before the first
 * reservation. It lies in linear memory so that any thread may reserve.
 */
const RESERVE_MARK = 64;
const DEFAULT_MEMORY_BYTES = 64 * 1024 * 1024;

/** How to make a `Core`. */
export interface CoreOptions {
  /**
   * The memory is shared between threads, with real atomics and locks that
   * sleep. Default false: one thread, and no price for locks.
   */
  readonly shared?: boolean;
  /**
   * Size of the memory in bytes, rounded up to 64 KiB; at most 4 GiB. Default
   * 64 MiB. It is fixed, so that addresses and views stay valid; memory that
   * is never touched costs nothing but address space.
   */
  readonly memoryBytes?: number;
  /** Check the core's invariants. Only in this project's own tests. */
  readonly debug?: boolean;
}

/** What another thread needs to work on the same memory: post it to a worker. */
export interface CoreHandle {
  readonly memory: WebAssembly.Memory;
  /** Saves the worker the compilation; without it the worker compiles its own. */
  readonly module?: WebAssembly.Module;
  readonly debug?: boolean;
}

/**
 * A WebAssembly core on a linear memory of fixed size. The instance has no
 * state of its own: everything lives at addresses in the memory, so that
 * several threads, each with a `Core` of its own, can work on one memory.
 */
export class Core {
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly shared: boolean;
  readonly debug: boolean;
  /** The functions of the core. Addresses they return are signed: use `>>> 0`. */
  readonly exports: CoreExports;
  /** Views on the whole memory; valid for as long as the core. */
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;

  private constructor(memory: WebAssembly.Memory, module: WebAssembly.Module, debug: boolean) {
    const { buffer } = memory;
    this.memory = memory;
    this.module = module;
    this.shared = !(buffer instanceof ArrayBuffer);
    this.debug = debug;
    this.exports = instantiate(module, memory);
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }

  /**
   * Makes a core on a new memory.
   *
   * @throws OverlappedError `INVALID_OPTION` for an impossible size,
   *   `NO_BUFFERS` if the host cannot reserve the memory.
   */
  static create(options: CoreOptions = {}): Core {
    const { shared = false, debug = false } = options;
    // Compiled first: next to a large memory, decoding the binary sets off a collection.
    const module = compileCore({ shared, debug });
    return new Core(createMemory(options), module, debug);
  }

  /** Like `create`, without blocking while it compiles: for a browser's main thread. */
  static async createAsync(options: CoreOptions = {}): Promise<Core> {
    const { shared = false, debug = false } = options;
    const module = await compileCoreAsync({ shared, debug });
    return new Core(createMemory(options), module, debug);
  }

  /** A core on the memory of another thread's core: see `handle`. */
  static attach({ memory, module, debug = false }: CoreHandle): Core {
    const shared = !(memory.buffer instanceof ArrayBuffer);
    return new Core(memory, module ?? compileCore({ shared, debug }), debug);
  }

  /** For `postMessage` to a worker, which calls `Core.attach`. Useful on shared memory only. */
  get handle(): CoreHandle {
    return { memory: this.memory, module: this.module, debug: this.debug };
  }

  /**
   * Reserves zeroed memory for as long as the memory lives; there is no way to
   * give it back. Any thread may call it.
   *
   * @param align a power of two, at least 4.
   * @returns the address.
   * @throws OverlappedError `NO_BUFFERS` when the memory is used up.
   */
  reserve(sizeBytes: number, align: number = CACHE_LINE_BYTES): number {
    requireInteger('sizeBytes', sizeBytes, 0, MEMORY_BYTES_MAX);
    const mark = RESERVE_MARK / 4;
    for (;;) {
      const used = Atomics.load(this.u32, mark);
      const address = alignUp(Math.max(used, RESERVED_BYTES), align);
      const end = address + sizeBytes;
      // The very last byte stays unused: the mark must fit 32 bits.
      if (end >= this.u8.length) {
        throw new OverlappedError(
          'NO_BUFFERS',
          `${sizeBytes} bytes do not fit the core's memory of ${this.u8.length} bytes, ${used} of which are taken`,
        );
      }
      if (Atomics.compareExchange(this.u32, mark, used, end) === used) return address;
    }
  }

  /** Bytes of the memory that are not reserved yet. */
  get unreservedBytes(): number {
    return this.u8.length - Math.max(Atomics.load(this.u32, RESERVE_MARK / 4), RESERVED_BYTES);
  }
}

function createMemory({
  shared = false,
  memoryBytes = DEFAULT_MEMORY_BYTES,
}: CoreOptions): WebAssembly.Memory {
  requireInteger('memoryBytes', memoryBytes, 1, MEMORY_BYTES_MAX);
  const pages = alignUp(memoryBytes, PAGE_BYTES) / PAGE_BYTES;
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (cause) {
    throw new OverlappedError(
      'NO_BUFFERS',
      `this host cannot reserve ${pages * PAGE_BYTES} bytes of ${shared ? 'shared ' : ''}memory`,
      { cause },
    );
  }
}
