/** A loop, a backend under orders, and an application that checks everything it sees. */
import * as layout from '#generated/layout';
import {
  CompletionLoop,
  type CompletionLoopOptions,
  type Core,
  LoopEventKind,
  LoopOperation,
  type LoopProfileOptions,
  OverlappedError,
} from '../../src/core/index.ts';
import { modelEncode } from './frame-encode.ts';
import { ConnectionModel, type SeenEvent } from './turn.ts';
import { type Link, type Random, TurnBackend } from './turn-backend.ts';

interface Listener {
  readonly token: number;
  readonly profile: number;
  handle: number;
  closed: boolean;
  errors: number;
}

/** Called for each event, with everything borrowed still there. */
export type Handler = (model: ConnectionModel, event: SeenEvent) => void;

export class TurnHost {
  readonly loop: CompletionLoop;
  readonly backend: TurnBackend;
  readonly problems: string[];
  readonly profiles = new Map<number, LoopProfileOptions>();
  /** By slot. */
  readonly models = new Map<number, ConnectionModel>();
  readonly listeners = new Map<number, Listener>();
  readonly all: ConnectionModel[] = [];
  /** All events of streams, one after the other. */
  readonly log: { slot: number; event: SeenEvent }[] = [];
  nowMs = 1000;
  onEvent: Handler = () => {};
  /** Between a turn and its dispatch: a backend on other threads would be at work. */
  meanwhile: () => void = () => {};
  /** A round is due. */
  due = false;
  readonly #arenaAtStart: number;

  constructor(core: Core, options: CompletionLoopOptions) {
    this.loop = CompletionLoop.create(core, options);
    this.#arenaAtStart = this.loop.counters().arenaBytes;
    this.backend = new TurnBackend(this.loop, {
      selectsBuffers: options.selectsBuffers ?? false,
      partialSends: (options.sendDepth ?? 1) === 1,
      bufferBytes: options.receiveBufferBytes ?? 16_384,
    });
    this.problems = this.backend.problems;
    this.backend.onSubmission = (kind, handle) => {
      if (kind !== LoopOperation.receive) return;
      const model = this.modelOf(handle);
      if (model === undefined || model.closing || model.failed !== undefined) return;
      if (model.paused || model.held)
        this.problems.push('a receive is submitted in a pause or hold');
    };
  }

  modelOf(handle: number): ConnectionModel | undefined {
    for (const model of this.models.values()) if (model.link?.handle === handle) return model;
    return undefined;
  }

  profile(options: LoopProfileOptions): number {
    const profile = this.loop.profile(options);
    this.profiles.set(profile, options);
    return profile;
  }

  #wantsOrder(profile: number): boolean {
    return this.profiles.get(profile)?.readOrder ?? true;
  }

  listen(profile: number): Listener {
    const { connection: token, operation } = this.loop.open('listener', profile);
    const handle = this.backend.newLink(true).handle;
    this.backend.begin(0, operation, -1);
    this.backend.open(operation, handle);
    const listener = { token, profile, handle, closed: false, errors: 0 };
    this.listeners.set(token % 2 ** 20, listener);
    return listener;
  }

  /** Begins to connect; the peer takes it at once, or refuses with `error`. */
  connect(profile: number, error = 0): ConnectionModel {
    const { connection: token, operation } = this.loop.open('stream', profile);
    const framing = (this.profiles.get(profile) as LoopProfileOptions).framing;
    const model = new ConnectionModel(token, framing, this.problems);
    this.backend.begin(0, operation, -2 - (token % 2 ** 20));
    if (error === 0) model.link = this.backend.newLink(this.#wantsOrder(profile));
    this.backend.open(operation, error === 0 ? (model.link as Link).handle : error);
    this.models.set(token % 2 ** 20, model);
    this.all.push(model);
    return model;
  }

  /** A connection comes in at a listener; undefined if it does not accept. */
  arrive(listener: Listener): Link | undefined {
    return this.backend.arrive(listener.handle, this.#wantsOrder(listener.profile));
  }

  reportAny(random: Random): boolean {
    const ready = this.backend.reportable();
    if (ready.length === 0) return false;
    this.backend.report(ready[random(ready.length)] as (typeof ready)[0]);
    this.due = true;
    return true;
  }

  reportAll(): void {
    for (;;) {
      const ready = this.backend.reportable();
      if (ready.length === 0) return;
      for (const held of ready) this.backend.report(held);
      this.due = true;
    }
  }

  /** One round, if one is due; else only what was asked for is submitted. */
  round(): void {
    if (this.due) {
      this.due = false;
      const count = this.loop.turn(this.nowMs);
      this.backend.submit();
      this.#dispatch(count);
      if (this.loop.hasMore) this.due = true;
    }
    this.flush();
  }

  flush(): void {
    let again: boolean;
    do {
      again = this.loop.finish();
      this.backend.submit();
    } while (again);
  }

  /** Rounds until nothing is due. */
  rounds(): void {
    do this.round();
    while (this.due);
  }

  #dispatch(count: number): void {
    const { u8 } = this.loop.core;
    const seen: { slot: number; token: number; offset: number; event: SeenEvent }[] = [];
    for (const event = this.loop.events; event.next(); ) {
      const isMessage = event.kind === LoopEventKind.message;
      const bytes = isMessage ? event.bytes().slice() : new Uint8Array(0);
      const result = event.kind === LoopEventKind.oversize ? event.length : event.result;
      seen.push({
        slot: event.slot,
        token: event.connection,
        offset: event.offset,
        event: {
          kind: event.kind,
          result: isMessage ? 0 : result,
          bytes,
          offset: event.offset,
        },
      });
    }
    if (seen.length !== count) this.problems.push('a turn showed another number of events');
    for (const { slot, token, event } of seen) this.#see(slot, token, event);
    this.meanwhile();
    for (const { slot, offset, event } of seen) {
      if (event.bytes.some((byte, index) => u8[offset + index] !== byte)) {
        this.problems.push('the bytes of a message changed before finish');
      }
      const model = this.models.get(slot);
      if (model === undefined) continue;
      if (event.kind === LoopEventKind.close) this.models.delete(slot);
      else if (!model.closed) this.onEvent(model, event);
      if (event.kind === LoopEventKind.end) model.endDispatched = true;
    }
  }

  #see(slot: number, token: number, event: SeenEvent): void {
    const listener = this.listeners.get(slot);
    if (listener !== undefined && !listener.closed && listener.token === token) {
      if (event.kind === LoopEventKind.close) listener.closed = true;
      else if (event.kind === LoopEventKind.error) listener.errors++;
      else if (event.kind !== LoopEventKind.open)
        this.problems.push(`listener: event ${event.kind}`);
      return;
    }
    let model = this.models.get(slot);
    if (model === undefined && event.kind === LoopEventKind.open) model = this.#adopt(slot, token);
    if (model === undefined) {
      this.problems.push(`event ${event.kind} of slot ${slot}, which nobody knows`);
      return;
    }
    if (model.token !== token) this.problems.push(`event ${event.kind} of another connection`);
    const { kind } = event;
    const isHeldBack = kind === layout.EVENT_MESSAGE || kind === layout.EVENT_END;
    if (isHeldBack && model.paused && !model.closing && !this.#hasFailed(model)) {
      this.problems.push(`event ${kind} in a pause`);
    }
    this.log.push({ slot, event });
    model.see(event);
  }

  /** What a failed connection has is shown, paused or not. */
  #hasFailed({ link, disturbed, failed }: ConnectionModel): boolean {
    return (
      disturbed || failed !== undefined || (link?.terminalArrived === true && link.terminal !== 0)
    );
  }

  #adopt(slot: number, token: number): ConnectionModel {
    const profile = [...this.listeners.values()].find(
      (one) => one.token === this.loop.listenerOf(token),
    )?.profile;
    const options = this.profiles.get(profile ?? 0) as LoopProfileOptions;
    const model = new ConnectionModel(token, options.framing, this.problems);
    model.link = this.backend.links.get(this.loop.handleOf(token));
    this.models.set(slot, model);
    this.all.push(model);
    return model;
  }

  // ------------------------------------------------------------ what an application does

  /** Sends, and checks that what was said about it is right. */
  send(model: ConnectionModel, message: Uint8Array): 'taken' | 'blocked' | OverlappedError['code'] {
    return this.#send(model, message, () => this.loop.send(model.token, message));
  }

  /** Passes the message of an event on, from where it lies. */
  pass(model: ConnectionModel, { offset = 0, bytes }: SeenEvent): ReturnType<TurnHost['send']> {
    const borrowed = this.loop.core.u8.subarray(offset, offset + bytes.length);
    return this.#send(model, bytes, () => this.loop.pass(model.token, borrowed));
  }

  #send(
    model: ConnectionModel,
    message: Uint8Array,
    queue: () => boolean,
  ): ReturnType<TurnHost['send']> {
    const frame = modelEncode(model.framing, message);
    const before = this.loop.queuedBytes(model.token);
    try {
      const welcome = queue();
      if (typeof frame === 'string') this.problems.push(`a message was taken that is ${frame}`);
      else for (const byte of frame) model.queued.push(byte);
      if (model.ending || model.closing) this.problems.push('a message was taken after end');
      if (!welcome) model.blocked = true;
      return welcome ? 'taken' : 'blocked';
    } catch (error) {
      if (!(error instanceof OverlappedError)) throw error;
      const { code } = error;
      if (this.loop.queuedBytes(model.token) !== before) this.problems.push(`${code}, but queued`);
      const isFrames = code.startsWith('FRAME');
      if (isFrames && code !== frame) this.problems.push(`send: ${code}, the model says ${frame}`);
      if (code !== 'CLOSED' && code !== 'NO_BUFFERS' && !isFrames) throw error;
      const isOver = model.ending || model.closing || model.endDispatched || this.#hasFailed(model);
      if (code === 'CLOSED' && !isOver) this.problems.push('send: CLOSED, and nobody said so');
      return code;
    }
  }

  pause(model: ConnectionModel): void {
    this.loop.pause(model.token);
    model.paused = true;
  }

  hold(model: ConnectionModel): void {
    this.loop.hold(model.token);
    model.held = true;
  }

  resume(model: ConnectionModel): void {
    model.paused = false;
    model.held = false;
    if (this.loop.resume(model.token)) this.due = true;
  }

  end(model: ConnectionModel): void {
    this.loop.end(model.token);
    model.ending = true;
  }

  close(model: ConnectionModel): void {
    this.loop.close(model.token);
    model.closing = true;
    this.due = true;
  }

  abort(model: ConnectionModel): void {
    this.loop.abort(model.token);
    model.closing = true;
    model.aborted = true;
  }

  closeListener(listener: Listener): void {
    this.loop.close(listener.token);
  }

  // ------------------------------------------------------------ to the end

  /** Performs and reports until nothing moves. */
  settle(random: Random): void {
    for (let quiet = 0, rounds = 0; quiet < 2; rounds++) {
      if (rounds === 20_000) throw new Error(`it never comes to rest\n${this.problems.join('\n')}`);
      let moved = false;
      for (const link of this.backend.links.values()) {
        if (link.closed) continue;
        moved = this.backend.performReceive(link, 1 + random(300)) || moved;
        moved = this.backend.performSend(link, 1 + random(300)) || moved;
        moved = this.backend.performShutdown(link) || moved;
      }
      for (let i = random(4); i >= 0; i--) moved = this.reportAny(random) || moved;
      moved = this.due || moved;
      this.round();
      quiet = moved ? 0 : quiet + 1;
    }
  }

  /** Lets everything end in order, and checks what is left: nothing. */
  finishAll(random: Random): void {
    for (const model of this.models.values()) if (model.paused || model.held) this.resume(model);
    this.onEvent = () => {};
    this.settle(random);
    for (const model of this.models.values()) {
      model.checkQuiet();
      if (model.blocked && !model.closing && model.failed === undefined && !model.disturbed) {
        this.problems.push('a DRAIN is owed');
      }
    }
    for (const link of this.backend.links.values()) link.terminal ??= 0;
    for (const model of this.models.values()) if (!model.closing) this.end(model);
    for (const listener of this.listeners.values())
      if (!listener.closed) this.closeListener(listener);
    this.settle(random);
    for (const model of this.all) {
      model.checkWire();
      if (!model.closed) this.problems.push(`connection ${model.token} was never closed`);
    }
    this.checkLeft();
  }

  checkLeft(): void {
    const { connections, operations, buffers, arenaBytes, stale } = this.loop.counters();
    if (this.backend.held.size > 0) {
      const kinds = [...this.backend.held.values()].map(({ kind }) => kind);
      this.problems.push(`the backend still holds operations ${kinds}`);
    }
    const left = `${connections} connections, ${operations} operations, ${buffers} buffers`;
    if (connections + operations + buffers > 0) this.problems.push(`left: ${left}`);
    if (arenaBytes !== this.#arenaAtStart) this.problems.push(`left: ${arenaBytes} bytes of arena`);
    if (stale !== this.backend.duplicates) {
      this.problems.push(`${stale} stale completions, not ${this.backend.duplicates}`);
    }
  }

  /** Throws if anything was wrong. */
  verify(): void {
    if (this.problems.length > 0)
      throw new Error([...new Set(this.problems)].slice(0, 12).join('\n'));
  }
}
