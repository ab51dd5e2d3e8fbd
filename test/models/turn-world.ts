/** A world around a loop: connections that come and go, streams in pieces, an application with moods. */
import { ERROR_RESET, ERROR_TIMED_OUT, EVENT_MESSAGE } from '#generated/layout';
import type { Core } from '../../src/core/index.ts';
import type { Framing } from '../../src/framing.ts';
import { modelEncode } from './frame-encode.ts';
import type { ConnectionModel, SeenEvent } from './turn.ts';
import { type Link, type Random, randomFrom } from './turn-backend.ts';
import { TurnHost } from './turn-host.ts';

/** What kind of world it is; the same seed and setup make the same one. */
export interface WorldSetup {
  readonly seed: number;
  readonly framing: Framing;
  /** The application closes, aborts, pauses and the like, and peers reset. */
  readonly wild: boolean;
  readonly selectsBuffers: boolean;
  readonly probes: 'never' | 'scarce' | 'always';
  readonly receiveDepth: number;
  readonly adaptiveDepth?: boolean;
  readonly sendDepth: number;
  readonly readOrder: boolean;
  readonly writeOrder: boolean;
  readonly eagerRead: boolean;
  /** Messages are passed on, and many are large enough not to be copied. */
  readonly passes?: boolean;
  readonly allowHalfOpen: boolean;
  readonly receiveWhileBlocked: boolean;
  readonly eventCapacity: number;
  readonly submissionCapacity: number;
  readonly receiveBuffers: number;
  readonly receiveBufferBytes: number;
  readonly maxConnections: number;
  readonly listenerMost: number;
  readonly highWaterMarkBytes: number;
  readonly firstSequence: number;
}

function messageOf(random: Random, framing: Framing, isLarge = false): Uint8Array {
  let length = framing.kind === 'fixed' ? framing.size : random(6) === 0 ? random(400) : random(30);
  if (isLarge && framing.kind !== 'fixed' && random(2) === 0) length = 2040 + random(1500);
  return Uint8Array.from({ length }, () => 97 + random(26));
}

function streamOf(random: Random, framing: Framing, isLarge: boolean): Uint8Array {
  const bytes: number[] = [];
  for (let count = random(8); count >= 0; count--) {
    const frame = modelEncode(framing, messageOf(random, framing, isLarge));
    if (typeof frame !== 'string') bytes.push(...frame);
    if (random(60) === 0) for (let i = random(5); i >= 0; i--) bytes.push(random(256));
  }
  return Uint8Array.from(bytes);
}

/** One step of the world, the application or the clock. */
export class World {
  readonly host: TurnHost;
  readonly random: Random;
  readonly setup: WorldSetup;
  readonly profile: number;
  readonly listener: ReturnType<TurnHost['listen']>;

  constructor(core: Core, setup: WorldSetup) {
    const host = new TurnHost(core, {
      maxConnections: setup.maxConnections + 1,
      receiveBuffers: setup.receiveBuffers,
      receiveBufferBytes: setup.receiveBufferBytes,
      arenaBytes: setup.passes ? 1 << 20 : 1 << 16,
      receiveDepth: setup.receiveDepth,
      sendDepth: setup.sendDepth,
      selectsBuffers: setup.selectsBuffers,
      probes: setup.probes,
      eventCapacity: setup.eventCapacity,
      submissionCapacity: setup.submissionCapacity,
    });
    this.host = host;
    this.setup = setup;
    this.random = randomFrom(setup.seed);
    this.profile = host.profile({
      framing: setup.framing,
      readOrder: setup.readOrder,
      writeOrder: setup.writeOrder,
      eagerRead: setup.eagerRead,
      adaptiveDepth: setup.adaptiveDepth ?? false,
      allowHalfOpen: setup.allowHalfOpen,
      receiveWhileBlocked: setup.receiveWhileBlocked,
      highWaterMarkBytes: setup.highWaterMarkBytes,
      maxQueuedBytes: setup.passes ? 20_000 : 2000,
      maxConnections: setup.listenerMost,
      chunkBytes: 512,
    });
    this.listener = host.listen(this.profile);
    host.onEvent = (model, event) => this.react(model, event);
    host.meanwhile = () => {
      const link = this.anyLink();
      if (link !== undefined) host.backend.performReceive(link, 50);
    };
  }

  /** Messages that are large enough to be sent from where they lie, where a buffer holds one. */
  get isLarge(): boolean {
    return this.setup.passes === true && this.setup.receiveBufferBytes > 4096;
  }

  anyLink(): Link | undefined {
    const open = [...this.host.backend.links.values()].filter(
      (link) => !link.closed && link.handle !== this.listener.handle,
    );
    return open[this.random(Math.max(open.length, 1))];
  }

  anyModel(): ConnectionModel | undefined {
    const open = [...this.host.models.values()].filter((model) => model.opened && !model.closed);
    return open[this.random(Math.max(open.length, 1))];
  }

  react(model: ConnectionModel, event: SeenEvent): void {
    const { random, host } = this;
    if (this.setup.passes && event.kind === EVENT_MESSAGE) {
      // An echo, or passed on to somebody else.
      const other = random(4) === 0 ? this.anyModel() : model;
      if (other !== undefined && other.framing === model.framing) host.pass(other, event);
    }
    if (random(3) === 0) host.send(model, messageOf(random, model.framing));
    if (this.setup.wild) this.disturb(model, 40);
  }

  disturb(model: ConnectionModel, rarity: number): void {
    const { random, host } = this;
    if (random(rarity) > 7) return;
    const what = random(24);
    if (what < 4) host.pause(model);
    else if (what < 8) host.hold(model);
    else if (what < 20) host.resume(model);
    else if (what === 20) host.end(model);
    else if (what === 21) host.close(model);
    else if (what === 22) host.abort(model);
  }

  step(): void {
    const { random, host, setup } = this;
    const { backend } = host;
    const link = this.anyLink();
    const model = this.anyModel();
    switch (random(16)) {
      case 0:
        host.arrive(this.listener);
        break;
      case 1:
        if (host.loop.counters().connections < setup.maxConnections) {
          const connecting = host.connect(this.profile, random(10) === 0 ? ERROR_TIMED_OUT : 0);
          host.loop.startSequences(connecting.token, setup.firstSequence, setup.firstSequence);
          if (setup.wild && random(15) === 0) host.abort(connecting);
        }
        break;
      case 2:
      case 3:
        link?.feed(streamOf(random, setup.framing, this.isLarge));
        break;
      case 4:
      case 5:
      case 6:
        if (link !== undefined)
          backend.performReceive(link, 1 + random(random(2) === 0 ? 5 : setup.passes ? 4000 : 200));
        break;
      case 7:
      case 8:
        if (link === undefined) break;
        backend.performSend(link, random(100));
        backend.performShutdown(link);
        break;
      case 9:
        if (model !== undefined) host.send(model, messageOf(random, setup.framing));
        if (model !== undefined && setup.wild) this.disturb(model, 12);
        host.flush();
        break;
      case 10:
        if (link === undefined || random(8) > 0) break;
        link.terminal ??= setup.wild && random(2) === 0 ? ERROR_RESET : 0;
        if (setup.wild && random(6) === 0) {
          const failing = host.modelOf(link.handle);
          if (failing !== undefined && backend.failSend(link, ERROR_RESET))
            failing.disturbed = true;
        }
        break;
      case 11: {
        const token = backend.spent[random(Math.max(backend.spent.length, 1))];
        if (token !== undefined) backend.duplicate(random(9) === 0 ? token + 0.5 : token);
        host.due = true;
        break;
      }
      case 12:
      case 13:
        for (let i = random(6); i >= 0; i--) host.reportAny(random);
        break;
      default:
        host.round();
    }
  }
}
