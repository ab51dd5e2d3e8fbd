/**
 * Stands between the loop and any backend and checks, for every operation of a
 * whole suite, what the contract promises (rules 1, 2, 3, 6 and 7) and what the
 * loop owes the backend (limits, no operation on a closing handle).
 */
import * as layout from '#generated/layout';
import type { BackendHost, BackendSelection, Driver, Leftovers } from '../../backends/backend.ts';
import type { Core } from '../../src/core/core.ts';

interface Pending {
  readonly kind: string;
  readonly handle: number | undefined;
  readonly length: number;
}

interface OpenHandle {
  /** Operations without a final completion, and how many of each kind. */
  readonly tokens: Set<number>;
  closing: number | undefined;
}

/** What was seen. `violations` is empty where everything kept to the contract. */
export class Record {
  readonly violations: string[] = [];
  submitted = 0;
  completed = 0;
  canceled = 0;
  /** Of all drivers made from the selection. */
  pending = 0;
  drivers = 0;

  violate(text: string): void {
    // A broken backend breaks a rule again and again: the first few tell enough.
    if (this.violations.length < 20) this.violations.push(text);
  }
}

const OPENING = new Set(['listen', 'connect', 'bind']);
const ON_HANDLE = new Set([
  'accept',
  'receive',
  'send',
  'receiveFrom',
  'sendTo',
  'shutdown',
  'close',
]);
/** Submissions that have a completion of their own. */
const KINDS: Readonly<{ [kind: number]: string }> = {
  [layout.OPERATION_ACCEPT]: 'accept',
  [layout.OPERATION_RECEIVE]: 'receive',
  [layout.OPERATION_SEND]: 'send',
  [layout.OPERATION_RECEIVE_FROM]: 'receiveFrom',
  [layout.OPERATION_SEND_TO]: 'sendTo',
  [layout.OPERATION_SHUTDOWN]: 'shutdown',
  [layout.OPERATION_CLOSE]: 'close',
  [layout.OPERATION_POST]: 'post',
};
const NATIVE_QUEUE_LOG2 = 13;
const NATIVE_QUEUE_BYTES = layout.COMPLETION_BYTES << (NATIVE_QUEUE_LOG2 + 1);
const LOWEST_ERROR = layout.ERROR_MESSAGE_MALFORMED;

/** One driver and its bookkeeping. */
class Recorder {
  readonly #record: Record;
  readonly #pending = new Map<number, Pending>();
  readonly #handles = new Map<number, OpenHandle>();
  #depth = 0;
  #inside = '';
  #driver: Driver | undefined;
  /** Between native code and the port's queue: what a batch reports is seen here. */
  #native: { readonly core: Core; readonly queue: number; readonly out: number } | undefined;
  #host: BackendHost | undefined;

  constructor(record: Record) {
    this.#record = record;
    record.drivers += 1;
  }

  host(host: BackendHost): BackendHost {
    this.#host = host;
    const native = () => this.#nativeQueue(host.core);
    return {
      get operations() {
        return host.operations;
      },
      get operationCapacity() {
        return host.operationCapacity;
      },
      get completions() {
        return native();
      },
      get port() {
        return host.port;
      },
      core: host.core,
      sizes: host.sizes,
      bufferBytes: host.bufferBytes,
      takeBuffer: () => host.takeBuffer(),
      bufferOffset: (slot) => host.bufferOffset(slot),
      returnBuffer: (slot) => host.returnBuffer(slot),
      complete: (token, result, flags = 0, buffer = layout.NOTHING, systemError = 0) => {
        // In the order in which the backend reported them.
        this.#takeNative();
        this.#complete(token, result, flags, buffer, systemError);
        host.complete(token, result, flags, buffer, systemError);
      },
    };
  }

  #nativeQueue(core: Core): number {
    if (this.#native === undefined) {
      const queue = core.reserve(layout.QUEUE_BYTES);
      const cells = core.reserve(layout.COMPLETION_BYTES << NATIVE_QUEUE_LOG2);
      core.exports.queueInit(queue, cells, NATIVE_QUEUE_LOG2);
      this.#native = { core, queue, out: core.reserve(layout.COMPLETION_BYTES) };
    }
    return this.#native.queue;
  }

  /** Passes on what native code has reported. */
  #takeNative(): void {
    if (this.#native === undefined) return;
    const { core, queue, out } = this.#native;
    const { token, result, flags, buffer, systemError } = layout.Completion;
    while (core.exports.queuePop(queue, out) === 1) {
      const values = [
        core.f64[(out + token) >>> 3] as number,
        core.i32[(out + result) >>> 2] as number,
        core.u32[(out + flags) >>> 2] as number,
        core.i32[(out + buffer) >>> 2] as number,
        core.i32[(out + systemError) >>> 2] as number,
      ] as const;
      this.#complete(...values);
      this.#host?.complete(...values);
    }
  }

  driver(driver: Driver): Driver {
    this.#driver = driver;
    return new Proxy(driver, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        const method = value as (...given: unknown[]) => unknown;
        return (...given: unknown[]) =>
          this.#call(String(name), given, () => method.apply(target, given));
      },
    });
  }

  #call(name: string, given: unknown[], run: () => unknown): unknown {
    if (OPENING.has(name) || name === 'post') this.#submit(name, given[0] as number);
    if (ON_HANDLE.has(name)) {
      this.#submit(name, given[0] as number, given[1] as number, (given[3] as number) || 0);
    }
    if (name === 'submit') this.#submitBatch(given[0] as number, given[1] as number);
    if (name === 'attach') {
      const ready = given[0] as () => void;
      return (this.#driver as Driver).attach(() => {
        this.#takeNative();
        ready();
      });
    }
    if (name === 'wait') return run();
    this.#depth += 1;
    this.#inside = name;
    try {
      const result = run();
      return name === 'dispose' ? this.#disposed(result as Promise<Leftovers>) : result;
    } catch (error) {
      this.#record.violate(`rule 7: ${name} threw ${String(error)}`);
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  async #disposed(disposing: Promise<Leftovers>): Promise<Leftovers> {
    const left = await disposing;
    this.#takeNative();
    for (const [token, { kind }] of this.#pending) {
      this.#record.violate(`rule 2: ${kind} (token ${token}) never completed`);
    }
    this.#record.pending -= this.#pending.size;
    this.#pending.clear();
    return left;
  }

  #submitBatch(address: number, count: number): void {
    const { u32, i32, f64 } = (this.#host as BackendHost).core;
    const { kind, token, handle, length } = layout.Submission;
    for (let index = 0; index < count; index++) {
      const entry = address + index * layout.SUBMISSION_BYTES;
      const name = KINDS[u32[(entry + kind) >>> 2] as number];
      if (name === undefined) continue;
      this.#submit(
        name,
        f64[(entry + token) >>> 3] as number,
        name === 'post' ? undefined : (i32[(entry + handle) >>> 2] as number),
        u32[(entry + length) >>> 2] as number,
      );
    }
  }

  #submit(kind: string, token: number, handle?: number, length = 0): void {
    const record = this.#record;
    record.submitted += 1;
    if (this.#pending.has(token)) record.violate(`loop: token ${token} of ${kind} is pending`);
    this.#pending.set(token, { kind, handle, length });
    record.pending += 1;
    if (handle === undefined) return;
    const open = this.#handles.get(handle);
    if (open === undefined) {
      record.violate(`loop: ${kind} on handle ${handle}, which is not open`);
      return;
    }
    if (open.closing !== undefined) {
      record.violate(`loop: ${kind} on handle ${handle}, which is closing`);
    }
    this.#checkDepth(kind, open, length);
    if (kind === 'close') open.closing = token;
    else open.tokens.add(token);
  }

  #checkDepth(kind: string, open: OpenHandle, length: number): void {
    const { receiveDepth, sendDepth, maxTransferBytes } = (this.#driver as Driver).limits;
    const most = kind === 'receive' ? receiveDepth : kind === 'send' ? sendDepth : Infinity;
    let same = 1;
    for (const token of open.tokens) if (this.#pending.get(token)?.kind === kind) same += 1;
    if (same > most) this.#record.violate(`loop: ${same} of ${kind} pending, limit ${most}`);
    if ((kind === 'send' || kind === 'receive') && length > maxTransferBytes) {
      this.#record.violate(`loop: ${kind} of ${length} bytes, limit ${maxTransferBytes}`);
    }
  }

  #complete(
    token: number,
    result: number,
    flags: number,
    buffer: number,
    systemError: number,
  ): void {
    const record = this.#record;
    record.completed += 1;
    const pending = this.#pending.get(token);
    if (pending === undefined) {
      record.violate(`rule 2: completion for token ${token}, which is not pending (${result})`);
      return;
    }
    const { kind, handle, length } = pending;
    if (this.#depth > 0) {
      record.violate(`rule 1: ${kind} (token ${token}) completed inside ${this.#inside}`);
    }
    const isFinal = (flags & layout.COMPLETION_MORE) === 0;
    const hasBuffer = (flags & layout.COMPLETION_BUFFER) !== 0;
    if (!Number.isInteger(result) || result < LOWEST_ERROR || systemError < 0) {
      record.violate(`rule 3: ${kind} completed with ${result}, system error ${systemError}`);
    }
    if (hasBuffer !== buffer >= 0) {
      record.violate(`rule 3: ${kind} completed with buffer ${buffer}, flags ${flags}`);
    }
    if (!isFinal && result < 0) record.violate(`rule 2: ${kind} goes on after error ${result}`);
    if (length > 0 && result > length) {
      record.violate(`rule 3: ${kind} of ${length} bytes completed with ${result}`);
    }
    if (result === layout.ERROR_CANCELED) record.canceled += 1;
    if (result >= 0 && (OPENING.has(kind) || (kind === 'accept' && !isFinal))) {
      this.#opened(kind, result);
    }
    if (!isFinal) return;
    this.#pending.delete(token);
    record.pending -= 1;
    if (handle !== undefined) this.#ended(kind, token, handle);
  }

  #opened(kind: string, handle: number): void {
    if (this.#handles.has(handle)) {
      this.#record.violate(`rule 6: ${kind} gave handle ${handle}, which is still open`);
    }
    this.#handles.set(handle, { tokens: new Set(), closing: undefined });
  }

  #ended(kind: string, token: number, handle: number): void {
    const open = this.#handles.get(handle);
    if (open === undefined) {
      this.#record.violate(`rule 6: ${kind} (token ${token}) completed after its handle's close`);
      return;
    }
    open.tokens.delete(token);
    if (kind !== 'close') return;
    for (const other of open.tokens) {
      const late = this.#pending.get(other)?.kind;
      this.#record.violate(`rule 6: close of handle ${handle} completed before its ${late}`);
    }
    this.#handles.delete(handle);
  }
}

/** The same backend, watched. */
export function recorded<Options>(selection: BackendSelection<Options>): {
  selection: BackendSelection<Options>;
  record: Record;
} {
  const record = new Record();
  return {
    record,
    selection: {
      name: selection.name,
      options: selection.options,
      probe: () => selection.probe(),
      memoryBytes: (options, sizes) =>
        NATIVE_QUEUE_BYTES + (selection.memoryBytes?.(options, sizes) ?? 0),
      create: async (host, options) => {
        const recorder = new Recorder(record);
        return recorder.driver(await selection.create(recorder.host(host), options));
      },
    },
  };
}
