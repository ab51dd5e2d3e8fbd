/**
 * Fibres: several worker threads of the core played by one thread on one
 * memory, switched where the schedule says, at the core's atomic operations.
 */
import type { CoreExports } from '#generated/exports';
import type { FibreBinary, FibreImports } from '../../build/asyncify.ts';
import type { Core } from '../../src/core/core.ts';
import { type Action, type Body, Violation } from './actions.ts';
import { Random } from './random.ts';
import { FAULT_ADDRESS } from './share-faults.ts';
import type { Strategy } from './strategies.ts';

type CoreFunction = (...values: number[]) => number | undefined;

const MEMORY_PAGES = 8;
const MEMORY_BYTES = MEMORY_PAGES * 65536;
/** What a suspended call keeps: its locals, frame by frame. */
const STACK_BYTES = 8192;
const FIBRES_MAX = 8;
const STACKS = MEMORY_BYTES - FIBRES_MAX * STACK_BYTES;
const FIRST_ADDRESS = 1024;
/** More pauses than this are a schedule that does not end. */
const STEPS_MAX = 50_000;
/** One decision in so many offers sleepers with a time-out to let it run out. */
const TIME_OUT_CHANCE = 16;

const SLEEP_WOKEN = 0;
const SLEEP_CHANGED = 1;
const SLEEP_TIMED_OUT = 2;

interface Fibre {
  readonly name: string;
  readonly body: Body;
  readonly stack: number;
  call: CoreFunction | undefined;
  values: readonly number[];
  callName: string;
  /** In the middle of `call`. */
  suspended: boolean;
  /** What the import it left off in returns. */
  answer: number;
  /** For the body, from its last action. */
  result: number;
  /** Address of the word it sleeps on, or 0. */
  sleepsOn: number;
  hasTimeOut: boolean;
  until: (() => boolean) | undefined;
  waitsFor: string;
  done: boolean;
}

interface AsyncifyExports {
  asyncify_start_unwind(data: number): void;
  asyncify_stop_unwind(): void;
  asyncify_start_rewind(data: number): void;
  asyncify_stop_rewind(): void;
}

export class FibreMachine {
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  /** The schedule's own numbers, also for choices of the bodies. */
  readonly random = new Random(0);
  /** Set to record what happens. */
  trace: string[] | undefined;
  /** Of a broken core that has several: which one it shows. */
  fault = 0;
  /** Pauses of the schedule so far. */
  steps = 0;

  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly #memory: WebAssembly.Memory;
  readonly #core: CoreExports & AsyncifyExports;
  readonly #operations: readonly string[];
  #fibres: Fibre[] = [];
  #candidates: number[] = [];
  #strategy: Strategy | undefined;
  #current = -1;
  /** Who goes on when the current one has left off; -1: to be chosen. */
  #next = -1;
  #unwinding = false;
  #rewinding = false;
  #used = FIRST_ADDRESS;
  readonly #labels = new Map<number, string>();

  constructor({ bytes, operations }: FibreBinary) {
    const size = { initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true };
    const memory = new WebAssembly.Memory(size);
    this.#memory = memory;
    this.i32 = new Int32Array(memory.buffer);
    this.f64 = new Float64Array(memory.buffer);
    this.u8 = new Uint8Array(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.#operations = operations;
    const imports: FibreImports = {
      pause: (ptr, operation) => this.#pause(ptr, operation),
      wait: (ptr, expected, timeoutNs) => this.#wait(ptr, expected, timeoutNs),
      notify: (ptr, count) => this.#notify(ptr, count),
    };
    const plain = (name: string) => (_id: number, _bytes: number, offset: number, ptr: number) =>
      this.#pauseAt(ptr, ptr + offset, name);
    const value = (_id: number, moved: unknown) => moved;
    const env: Record<string, WebAssembly.ImportValue> = { memory, ...imports };
    for (const name of ['load_ptr', 'store_ptr']) env[name] = plain(name.slice(0, -4));
    for (const type of ['i32', 'i64', 'f32', 'f64', 'v128']) {
      env[`load_val_${type}`] = value;
      env[`store_val_${type}`] = value;
    }
    env.memory_grow_pre = value;
    env.memory_grow_post = value;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), {
      env,
    });
    this.#core = instance.exports as unknown as CoreExports & AsyncifyExports;
  }

  /** For preparations: a call outside of any fibre, without pauses. */
  get exports(): CoreExports {
    return this.#core;
  }

  /** Forgets the last schedule, with its memory. */
  reset(seed: number): void {
    this.u8.fill(0, FIRST_ADDRESS, this.#used);
    this.u32[FAULT_ADDRESS >> 2] = this.fault;
    this.#used = FIRST_ADDRESS;
    this.#labels.clear();
    this.#fibres = [];
    this.#current = -1;
    // A schedule that was broken off may have left them.
    this.#unwinding = false;
    this.#rewinding = false;
    this.steps = 0;
    this.random.seed(seed);
  }

  /** For what places its records by itself: it sees a core, and reserves under `label`. */
  asCore(label: string): Core {
    const { exports, u8, u32, i32, f64 } = this;
    const reserve = (sizeBytes: number, align?: number) => this.reserve(label, sizeBytes, align);
    const memory = this.#memory;
    return { memory, exports, u8, u32, i32, f64, reserve } as unknown as Core;
  }

  /** Zeroed memory for this schedule; `label` names it in traces. */
  reserve(label: string, sizeBytes: number, align = 64): number {
    const address = (this.#used + align - 1) & -align;
    this.#used = (address + sizeBytes + 63) & ~63;
    if (this.#used > STACKS) throw new RangeError('the fibres have no more memory');
    this.#labels.set(address, label);
    return address;
  }

  spawn(name: string, body: Body): void {
    const stack = STACKS + this.#fibres.length * STACK_BYTES;
    if (this.#fibres.length === FIBRES_MAX) throw new RangeError('too many fibres');
    this.i32[stack >> 2] = stack + 8;
    this.i32[(stack >> 2) + 1] = stack + STACK_BYTES;
    this.#fibres.push({
      name,
      body,
      stack,
      call: undefined,
      values: [],
      callName: '',
      suspended: false,
      answer: 0,
      result: 0,
      sleepsOn: 0,
      hasTimeOut: false,
      until: undefined,
      waitsFor: '',
      done: false,
    });
  }

  /** Runs all fibres to their ends. @throws Violation */
  run(strategy: Strategy): void {
    this.#strategy = strategy;
    strategy.begin(this.#fibres.length, this.random);
    this.#next = -1;
    for (;;) {
      const number = this.#next >= 0 ? this.#next : this.#choose();
      this.#next = -1;
      if (number < 0) break;
      this.#current = number;
      this.#resume(this.#fibres[number] as Fibre);
      this.#current = -1;
    }
    const stuck = this.#fibres.filter(({ done }) => !done);
    if (stuck.length > 0) throw new Violation(`stuck: ${stuck.map(describe).join(', ')}`);
  }

  #choose(): number {
    const candidates = this.#candidates;
    candidates.length = 0;
    const mayTimeOut = this.random.below(TIME_OUT_CHANCE) === 0;
    let timed = -1;
    for (let i = 0; i < this.#fibres.length; i++) {
      const fibre = this.#fibres[i] as Fibre;
      if (fibre.done) continue;
      if (fibre.sleepsOn !== 0) {
        if (!fibre.hasTimeOut) continue;
        timed = i;
        if (!mayTimeOut) continue;
      } else if (fibre.until !== undefined && !fibre.until()) continue;
      candidates.push(i);
    }
    if (candidates.length === 0) {
      if (timed < 0) return -1;
      candidates.push(timed);
    }
    const strategy = this.#strategy as Strategy;
    const chosen = strategy.choose(candidates, this.#current);
    const fibre = this.#fibres[chosen] as Fibre;
    if (fibre.sleepsOn !== 0) {
      fibre.sleepsOn = 0;
      fibre.answer = SLEEP_TIMED_OUT;
      this.trace?.push(`${fibre.name}: its time runs out`);
    }
    fibre.until = undefined;
    return chosen;
  }

  /** Until it leaves off, waits or ends. */
  #resume(fibre: Fibre): void {
    for (;;) {
      if (fibre.call !== undefined) {
        if (fibre.suspended) {
          fibre.suspended = false;
          this.#rewinding = true;
          this.#core.asyncify_start_rewind(fibre.stack);
        }
        const result = this.#enter(fibre);
        if (this.#unwinding) {
          this.#unwinding = false;
          this.#core.asyncify_stop_unwind();
          fibre.suspended = true;
          return;
        }
        fibre.call = undefined;
        fibre.result = result;
      }
      const { done, value } = fibre.body.next(fibre.result);
      fibre.result = 0;
      if (done === true) {
        fibre.done = true;
        return;
      }
      const action = value as Action;
      if ('call' in action) {
        fibre.call = this.#core[action.call] as CoreFunction;
        fibre.values = action.values;
        fibre.callName = action.call;
      } else if ('pause' in action || 'givesWay' in action) {
        if ('pause' in action) this.#step(action.pause);
        else {
          this.#step(action.givesWay);
          (this.#strategy as Strategy).yields(this.#current);
        }
        this.#next = this.#choose();
        if (this.#next !== this.#current) return;
        this.#next = -1;
      } else {
        fibre.waitsFor = action.what;
        if (action.until()) continue;
        fibre.until = action.until;
        (this.#strategy as Strategy).yields(this.#current);
        return;
      }
    }
  }

  #enter(fibre: Fibre): number {
    try {
      // By position: spreading would cost more than the call.
      const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = fibre.values;
      return (fibre.call as CoreFunction)(a, b, c, d, e, f) ?? 0;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      throw new Violation(`${fibre.name}: ${fibre.callName} traps: ${error.message}`);
    }
  }

  #step(what: string): void {
    if (++this.steps > STEPS_MAX) throw new Violation(`no end after ${STEPS_MAX} steps`);
    if (this.trace !== undefined) {
      this.trace.push(`${(this.#fibres[this.#current] as Fibre).name}: ${what}`);
    }
  }

  #pause(ptr: number, operation: number): number {
    return this.#pauseAt(ptr, ptr, this.#operations[operation] as string);
  }

  #pauseAt(ptr: number, address: number, operation: string): number {
    if (this.#rewinding) return this.#goOn();
    if (this.#current < 0) return ptr;
    this.#step(this.trace === undefined ? '' : this.#describe(operation, address));
    const next = this.#choose();
    if (next !== this.#current) this.#leave(ptr, next);
    return ptr;
  }

  /** Leaves off in an import, which will return `answer`. */
  #leave(answer: number, next: number): void {
    const fibre = this.#fibres[this.#current] as Fibre;
    fibre.answer = answer;
    this.#next = next;
    this.#unwinding = true;
    this.#core.asyncify_start_unwind(fibre.stack);
  }

  /** Back in the import that was left. */
  #goOn(): number {
    this.#rewinding = false;
    this.#core.asyncify_stop_rewind();
    return (this.#fibres[this.#current] as Fibre).answer;
  }

  #wait(ptr: number, expected: number, timeoutNs: bigint): number {
    if (this.#rewinding) return this.#goOn();
    if (this.i32[ptr >> 2] !== expected) return SLEEP_CHANGED;
    const fibre = this.#fibres[this.#current] as Fibre;
    fibre.sleepsOn = ptr;
    fibre.hasTimeOut = timeoutNs >= 0n;
    this.trace?.push(`${fibre.name}: sleeps on ${this.#nameOf(ptr)}`);
    this.#leave(SLEEP_WOKEN, -1);
    return 0;
  }

  #notify(ptr: number, count: number): number {
    let woken = 0;
    const first = this.random.below(this.#fibres.length);
    for (let i = 0; i < this.#fibres.length && woken !== count; i++) {
      const fibre = this.#fibres[(first + i) % this.#fibres.length] as Fibre;
      if (fibre.sleepsOn !== ptr) continue;
      fibre.sleepsOn = 0;
      woken++;
      this.trace?.push(`${fibre.name}: is woken`);
    }
    return woken;
  }

  #nameOf(address: number): string {
    let best = 0;
    for (const start of this.#labels.keys()) if (start <= address && start > best) best = start;
    return `${this.#labels.get(best)}+${address - best}`;
  }

  #describe(operation: string, address: number): string {
    const { callName } = this.#fibres[this.#current] as Fibre;
    return `${callName}: ${operation} ${this.#nameOf(address)} (${this.i32[address >> 2]})`;
  }
}

function describe(fibre: Fibre): string {
  if (fibre.sleepsOn !== 0) return `${fibre.name} sleeps in ${fibre.callName}`;
  return `${fibre.name} waits until ${fibre.waitsFor}`;
}
