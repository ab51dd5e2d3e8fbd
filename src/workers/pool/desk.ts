/**
 * Where other threads' dispatches come in and their results go out, at the
 * thread that opened the pool. A dispatch is a ticket in the queue of requests:
 * its place there, taken within the call, is its place in its key's order. The
 * results of a key are handed over in that order, thread after thread: see
 * turns.ts. All that an attached thread has lies in shared memory, so that
 * nothing is missing when it dies.
 */
import { setImmediate } from 'node:timers';
import { Pool as PoolLayout } from '#generated/layout';
import type { Arena } from '../../core/arena.ts';
import type { OverlappedError } from '../../errors.ts';
import { atThreadEnd } from '../thread-end.ts';
import { Attached } from './attached.ts';
import { listenBell } from './bell.ts';
import type { PoolClock } from './clock.ts';
import { crossError, crossValue } from './crossing.ts';
import type { DeskMemory, PoolHandle } from './desk-memory.ts';
import {
  DeskRecord,
  DeskStage,
  DISPATCHERS_MAX,
  DispatcherRecord,
  DispatcherState,
  KeyKind,
  TicketOutcome,
  TicketRecord,
  TicketState,
} from './desk-records.ts';
import { Block, Dispatch, type Tally } from './job.ts';
import type { PoolKey } from './lane.ts';
import type { PoolSettings } from './options.ts';
import { Turns } from './turns.ts';

/** Most requests taken before the host's other work gets its chance. */
const REQUESTS_PER_TURN = 1024;
/** Looks at a silent thread within the time that it may be silent. */
const LOOKS = 4;

export interface DeskHooks {
  /** Takes a dispatch in; the error if it cannot. */
  dispatch(bytes: Block, dispatch: Dispatch): OverlappedError | undefined;
  /** Dispatches were taken in or answered. */
  changed(): void;
  /** Dispatches that are taken in and not answered. */
  load(): number;
}

/** The pool's own thread, among those that results of a key go to. */
const HERE = Symbol('this thread');

export class Desk {
  readonly #memory: DeskMemory;
  readonly #arena: Arena;
  readonly #settings: PoolSettings;
  readonly #clock: PoolClock;
  readonly #tally: Tally;
  readonly #hooks: DeskHooks;
  readonly #attached: (Attached | undefined)[] = new Array(DISPATCHERS_MAX).fill(undefined);
  /** What each ticket was given for, until its thread is done with it. */
  readonly #given: (Dispatch | undefined)[] = [];
  readonly #turns = new Turns<Attached | typeof HERE>();
  /** Threads that were given results in this turn. */
  readonly #touched = new Set<Attached>();
  /** Keys of results that this thread got in this turn. */
  #heard: PoolKey[] = [];
  readonly #decoder = new TextDecoder();
  /** Index of the desk's record in words. */
  readonly #own: number;
  #departures = 0;
  readonly #forgetEnd: () => void;
  #stopListening: (() => void) | undefined;
  #stopLooking: (() => void) | undefined;
  /** Results that nobody took: their thread had gone. */
  dropped = 0;

  constructor(
    memory: DeskMemory,
    arena: Arena,
    settings: PoolSettings,
    clock: PoolClock,
    tally: Tally,
    hooks: DeskHooks,
  ) {
    this.#memory = memory;
    this.#arena = arena;
    this.#settings = settings;
    this.#clock = clock;
    this.#tally = tally;
    this.#hooks = hooks;
    this.#own = memory.desk >>> 2;
    this.#set(DeskRecord.wake, 1);
    const bell = this.#own + DeskRecord.bell / 4;
    this.#stopListening = listenBell(memory.core.i32, bell, () => this.#pass());
    this.#forgetEnd = atThreadEnd(this.#exit);
    this.#lookLater();
  }

  get handle(): PoolHandle {
    const { core, desk, tickets, requests, said, dispatchers, queued } = this.#memory;
    const { arenaBytes, capacity } = this.#settings;
    return {
      core: core.handle,
      desk,
      tickets: tickets.address,
      requests: requests.address,
      said: said.address,
      dispatchers,
      queued,
      arena: this.#arena.address,
      arenaBytes,
      capacity,
    };
  }

  /** Threads that are attached. */
  get dispatchers(): number {
    const { core, dispatchers } = this.#memory;
    let count = 0;
    for (let index = 0; index < DISPATCHERS_MAX; index++) {
      const state = dispatchers + index * DispatcherRecord.$size + DispatcherRecord.state;
      if (Atomics.load(core.u32, state >>> 2) !== DispatcherState.FREE) count++;
    }
    return count;
  }

  #set(offset: number, value: number): void {
    Atomics.store(this.#memory.core.u32, this.#own + offset / 4, value);
  }

  // ------------------------------------------------------------ in

  /** Takes what attached threads have asked and said; then they may wake this thread again. */
  #pass(): void {
    const { core, requests, said } = this.#memory;
    const wake = this.#own + DeskRecord.wake / 4;
    do {
      for (let taken = 0; ; taken++) {
        const packet = requests.pop();
        if (packet === undefined) break;
        this.#ask(packet.token);
        if (taken === REQUESTS_PER_TURN) {
          setImmediate(() => this.#pass());
          this.#hooks.changed();
          return;
        }
      }
      this.#takeSaid();
      this.#seeDepartures();
      Atomics.store(core.u32, wake, 1);
      // What came in between found nobody to wake.
    } while (
      (requests.length > 0 || said.length > 0 || this.#haveLeft) &&
      Atomics.exchange(core.u32, wake, 0) === 1
    );
    this.#hooks.changed();
  }

  #ask(token: number): void {
    const { core, tickets } = this.#memory;
    const { u32 } = core;
    const slot = tickets.check(token);
    if (slot === undefined) return;
    const record = tickets.slotAddress(slot) >>> 2;
    Atomics.store(u32, record + TicketRecord.state / 4, TicketState.ACCEPTED);
    const index = (u32[record + TicketRecord.dispatcher / 4] as number) - 1;
    const attached = this.#attachedAt(index);
    const lengthBytes = u32[record + TicketRecord.lengthBytes / 4] as number;
    const address = u32[record + TicketRecord.block / 4] as number;
    const key = this.#keyOf(record, address + lengthBytes);
    u32[record + TicketRecord.block / 4] = 0;
    const block = new Block(address, lengthBytes);
    const dispatch = new Dispatch(
      this.#tally,
      key,
      this.#clock.now(),
      (value) => this.#answer(slot, attached, value),
      (error) => {
        this.#free(block);
        const { outcome, bytes } = crossError(error);
        this.#giveBytes(slot, attached, outcome, bytes);
      },
      attached,
    );
    this.#given[slot] = dispatch;
    const refusal = this.#hooks.dispatch(block, dispatch);
    if (refusal !== undefined) dispatch.reject(refusal);
  }

  #attachedAt(index: number): Attached {
    const { core, dispatchers } = this.#memory;
    const known = this.#attached[index];
    if (known !== undefined) return known;
    const attached = new Attached(core, index, dispatchers + index * DispatcherRecord.$size);
    this.#attached[index] = attached;
    return attached;
  }

  #keyOf(record: number, textAt: number): PoolKey | undefined {
    const { u8, u32, f64 } = this.#memory.core;
    switch (u32[record + TicketRecord.keyKind / 4]) {
      case KeyKind.NUMBER:
        return f64[(record * 4 + TicketRecord.key) >>> 3];
      case KeyKind.TEXT: {
        const end = textAt + (u32[record + TicketRecord.keyBytes / 4] as number);
        // A copy: some hosts do not decode shared memory.
        return this.#decoder.decode(u8.slice(textAt, end));
      }
    }
    return undefined;
  }

  // ------------------------------------------------------------ out

  /**
   * Calls `give` when it is the turn of the dispatch among those of its key, with
   * true if it is not to come any more.
   */
  hand(dispatch: Dispatch, give: (isCanceled: boolean) => void): void {
    const { key, from } = dispatch;
    if (key === undefined || from?.gone) give(false);
    else if (from !== undefined) {
      dispatch.inTurn = true;
      this.#turns.hand(key, from, give);
    } else {
      this.#turns.hand(key, HERE, (isCanceled) => {
        give(isCanceled);
        if (!isCanceled) this.#hear(key);
      });
    }
  }

  /** This thread got a result: it is done with it when what hangs on it has run. */
  #hear(key: PoolKey): void {
    this.#heard.push(key);
    if (this.#heard.length > 1) return;
    setImmediate(() => {
      const heard = this.#heard;
      this.#heard = [];
      for (const key of heard) this.#turns.said(key, HERE);
      this.#hooks.changed();
    });
  }

  #answer(slot: number, attached: Attached, value: unknown): void {
    const { core, tickets } = this.#memory;
    const { u32, f64 } = core;
    const record = tickets.slotAddress(slot) >>> 2;
    if (value instanceof Block && !attached.gone) {
      u32[record + TicketRecord.outputBytes / 4] = value.lengthBytes;
      u32[record + TicketRecord.output / 4] = value.take();
      this.#give(slot, attached, TicketOutcome.BYTES);
    } else if (value instanceof Block) {
      this.#free(value);
      this.#give(slot, attached, TicketOutcome.NOTHING);
    } else if (value === undefined || typeof value === 'number') {
      f64[(record * 4 + TicketRecord.number) >>> 3] = value ?? 0;
      const isNothing = value === undefined;
      this.#give(slot, attached, isNothing ? TicketOutcome.NOTHING : TicketOutcome.NUMBER);
    } else {
      const { outcome, bytes } = crossValue(value);
      this.#giveBytes(slot, attached, outcome, bytes);
    }
  }

  #giveBytes(slot: number, attached: Attached, outcome: number, bytes: Uint8Array): void {
    const { core, tickets } = this.#memory;
    const record = tickets.slotAddress(slot) >>> 2;
    const block = attached.gone ? undefined : this.#arena.alloc(bytes.length);
    if (block === undefined) {
      this.#give(slot, attached, TicketOutcome.LOST);
      return;
    }
    core.u8.set(bytes, block);
    core.u32[record + TicketRecord.outputBytes / 4] = bytes.length;
    core.u32[record + TicketRecord.output / 4] = block;
    this.#give(slot, attached, outcome);
  }

  #give(slot: number, attached: Attached, outcome: number): void {
    const { core, tickets } = this.#memory;
    if (attached.gone) {
      this.dropped++;
      this.#release(slot);
      return;
    }
    const record = tickets.slotAddress(slot) >>> 2;
    core.u32[record + TicketRecord.outcome / 4] = outcome;
    Atomics.store(core.u32, record + TicketRecord.state / 4, TicketState.ANSWERED);
    // It holds all the tickets there are.
    core.exports.queuePush(attached.answers, tickets.token(slot), 0, 0, 0, 0);
    this.#touched.add(attached);
  }

  /** Gives back the memory of a block that nobody takes. */
  #free(block: Block): void {
    const address = block.take();
    if (address !== 0) this.#arena.free(address);
  }

  freeOutput(value: unknown): void {
    if (value instanceof Block) this.#free(value);
  }

  #release(slot: number): void {
    const { core, tickets } = this.#memory;
    const record = tickets.slotAddress(slot) >>> 2;
    core.u32[record + TicketRecord.dispatcher / 4] = 0;
    Atomics.store(core.u32, record + TicketRecord.state / 4, TicketState.FREE);
    this.#given[slot] = undefined;
    tickets.release(slot);
  }

  #takeSaid(): void {
    const { said, tickets } = this.#memory;
    for (let packet = said.pop(); packet !== undefined; packet = said.pop()) {
      const slot = tickets.check(packet.token);
      const dispatch = slot === undefined ? undefined : this.#given[slot];
      if (slot === undefined || dispatch === undefined) continue;
      this.#release(slot);
      const { key, from, inTurn } = dispatch;
      if (inTurn && key !== undefined && from !== undefined) this.#turns.said(key, from);
    }
  }

  /** After a turn: what came of it is told. */
  flush(): void {
    this.#set(DeskRecord.wantsSaid, this.#turns.held > 0 ? 1 : 0);
    // Set first, then looked: who says something afterwards wakes this thread.
    if (this.#turns.held > 0) this.#takeSaid();
    const load = this.#hooks.load() + this.#turns.held;
    this.#set(DeskRecord.load, load);
    const { u32 } = this.#memory.core;
    const wanted = this.#own + DeskRecord.roomWanted / 4;
    if (load < this.#settings.capacity && Atomics.exchange(u32, wanted, 0) === 1) {
      for (const attached of this.#attached) attached?.ring();
    }
    for (const attached of this.#touched) attached.wake();
    this.#touched.clear();
  }

  // ------------------------------------------------------------ threads that leave

  get #haveLeft(): boolean {
    const { u32 } = this.#memory.core;
    return Atomics.load(u32, this.#own + DeskRecord.departures / 4) !== this.#departures;
  }

  #seeDepartures(): void {
    if (!this.#haveLeft) return;
    const { u32 } = this.#memory.core;
    this.#departures = Atomics.load(u32, this.#own + DeskRecord.departures / 4);
    for (let index = 0; index < DISPATCHERS_MAX; index++) {
      const attached = this.#attachedAt(index);
      if (attached.state === DispatcherState.GONE) this.#clear(attached);
      else if (attached.state === DispatcherState.FREE) this.#attached[index] = undefined;
    }
  }

  /** Takes back what a thread left: its jobs run, and nobody gets their results. */
  #clear(attached: Attached): void {
    const { core, requests, tickets, dispatchers } = this.#memory;
    // What it asked and said before, it asked and said.
    for (let packet = requests.pop(); packet !== undefined; packet = requests.pop()) {
      this.#ask(packet.token);
    }
    this.#takeSaid();
    attached.gone = true;
    const packet = dispatchers + attached.index * DispatcherRecord.$size + DispatcherRecord.packet;
    while (core.exports.queuePop(attached.answers, packet) === 1);
    const { u32 } = core;
    const fresh = Atomics.load(u32, (tickets.address + PoolLayout.fresh) >>> 2);
    for (let slot = 0; slot < fresh; slot++) {
      const record = tickets.slotAddress(slot) >>> 2;
      if (u32[record + TicketRecord.dispatcher / 4] !== attached.index + 1) continue;
      const state = Atomics.load(u32, record + TicketRecord.state / 4);
      if (state !== TicketState.ASKED && state !== TicketState.ANSWERED) continue;
      if (state === TicketState.ANSWERED) this.dropped++;
      this.#freeAt(record + TicketRecord.block / 4);
      this.#freeAt(record + TicketRecord.output / 4);
      this.#release(slot);
    }
    attached.leave();
    this.#attached[attached.index] = undefined;
    this.#turns.drop(attached);
    this.#touched.delete(attached);
  }

  /** Frees the block whose address stands in the word. */
  #freeAt(word: number): void {
    const { u32 } = this.#memory.core;
    const address = u32[word] as number;
    u32[word] = 0;
    if (address !== 0) this.#arena.free(address);
  }

  /**
   * A thread that was terminated cannot say so: all are looked at now and then, and
   * who does not turn its event loop for long has gone.
   */
  #lookLater(): void {
    const periodMs = Math.ceil(this.#settings.dispatcherTimeoutMs / LOOKS);
    this.#stopLooking = this.#clock.after(periodMs, () => {
      for (let index = 0; index < DISPATCHERS_MAX; index++) {
        const attached = this.#attachedAt(index);
        if (attached.state !== DispatcherState.ATTACHED) continue;
        if (attached.look() === LOOKS - 1) this.#clear(attached);
      }
      this.#lookLater();
      this.#hooks.changed();
    });
  }

  // ------------------------------------------------------------ end

  /** Takes in what has been asked, and nothing more. */
  beginClose(): void {
    this.#set(DeskRecord.stage, DeskStage.CLOSING);
    const { requests } = this.#memory;
    requests.close();
    for (let packet = requests.pop(); packet !== undefined; packet = requests.pop()) {
      this.#ask(packet.token);
    }
    this.#pass();
  }

  /** Gives up the results that wait for their turn; how many there were. */
  cancelHeld(): number {
    return this.#turns.cancel();
  }

  /** Nothing more will come. */
  close(): void {
    this.flush();
    this.#exit();
    this.#forgetEnd();
    this.#stopListening?.();
    this.#stopLooking?.();
  }

  /** Also where this thread ends without a word. */
  readonly #exit = (): void => {
    this.#set(DeskRecord.stage, DeskStage.CLOSED);
    for (let index = 0; index < DISPATCHERS_MAX; index++) this.#attachedAt(index).ring();
  };
}
