/** A connection as a driver sees it: operations pending on one end of a stream. */
import * as layout from '#generated/layout';
import type { BackendHost } from '../backend.ts';
import type { NetworkAddress } from './addresses.ts';
import { Deque } from './deque.ts';
import type { SimNetwork } from './network.ts';
import type { Operation, Reporter, Socket } from './operation.ts';
import type { StreamEnd } from './stream.ts';

export class StreamSocket implements Socket {
  readonly kind = 'stream';
  readonly handle: number;
  timeMs = 0;
  order = 0;
  isReferenced = true;
  isClosing = false;
  readonly #network: SimNetwork;
  readonly #host: BackendHost;
  readonly #reporter: Reporter;
  readonly #end: StreamEnd;
  readonly #receives = new Deque<Operation>();
  /** Sends and shutdowns, in the order in which they take effect. */
  readonly #sends: Operation[] = [];
  #isServing = false;

  constructor(
    handle: number,
    network: SimNetwork,
    host: BackendHost,
    reporter: Reporter,
    end: StreamEnd,
  ) {
    this.handle = handle;
    this.#network = network;
    this.#host = host;
    this.#reporter = reporter;
    this.#end = end;
    end.incoming.onArrival = () => this.#serveReceives();
    end.outgoing.onRoom = () => this.#serveSends();
    end.onReset = () => {
      this.#serveReceives();
      this.#serveSends();
    };
  }

  get local(): NetworkAddress {
    return this.#end.local;
  }

  get remote(): NetworkAddress {
    return this.#end.remote;
  }

  receive(operation: Operation): void {
    this.#perhapsBreakOff();
    const { settings } = this.#network;
    if (this.#receives.length >= (settings.selectsBuffers ? 1 : settings.receiveDepth)) {
      this.#network.violate('limitViolations', `more receives pending than limits.receiveDepth`);
    }
    operation.cancel = this.#cancelReceive;
    this.#receives.push(operation);
    this.#serveSoon();
  }

  send(operation: Operation): void {
    this.#perhapsBreakOff();
    const { settings } = this.#network;
    const isOneTooMany =
      operation.kind === 'send' &&
      this.#sends.length >= settings.sendDepth &&
      this.#sends.filter(({ kind }) => kind === 'send').length >= settings.sendDepth;
    if (isOneTooMany) {
      this.#network.violate('limitViolations', 'more sends pending than limits.sendDepth');
    }
    operation.cancel = this.#cancelSend;
    this.#sends.push(operation);
    this.#serveSends();
  }

  close(reset: boolean): void {
    for (const operation of this.#receives.takeAll()) this.#canceled(operation);
    for (const operation of this.#sends.splice(0)) this.#canceled(operation);
    const { incoming, outgoing } = this.#end;
    incoming.onArrival = () => {};
    outgoing.onRoom = () => {};
    this.#end.onReset = () => {};
    this.#end.close(reset);
  }

  #canceled(operation: Operation): void {
    this.#reporter.finish(operation, layout.ERROR_CANCELED);
  }

  #perhapsBreakOff(): void {
    if (this.#network.random.chance(this.#network.settings.resetProbability)) {
      this.#end.breakOff();
    }
  }

  readonly #cancelReceive = (operation: Operation): void => {
    const { incoming } = this.#end;
    const { random, settings, scheduler } = this.#network;
    const { token } = operation;
    const giveUp = () => {
      // By then it may be over, and serve another one.
      if (operation.token === token && this.#receives.remove(operation)) this.#canceled(operation);
    };
    // Success may win while something is on the way, and only then.
    if (incoming.isOnTheWay && random.chance(settings.loseCancelProbability)) {
      this.#network.count('cancelsLost');
      scheduler.at(incoming.lastArrivalMs, giveUp);
    } else {
      giveUp();
    }
  };

  readonly #cancelSend = (operation: Operation): void => {
    const place = this.#sends.indexOf(operation);
    if (place < 0) return;
    this.#sends.splice(place, 1);
    // What the network has accepted cannot be called back.
    if (operation.done > 0 && this.#network.settings.sendDepth === 1) {
      this.#network.count('cancelsLost');
      this.#reporter.finish(operation, operation.done);
    } else {
      this.#canceled(operation);
    }
    this.#serveSends();
  };

  /** In an event of its own: a submission completes nothing. */
  #serveSoon(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    const { scheduler } = this.#network;
    scheduler.at(scheduler.nowMs, this.#serveNow);
  }

  readonly #serveNow = (): void => {
    this.#isServing = false;
    this.#serveReceives();
  };

  #cut(length: number): number {
    const { random, settings } = this.#network;
    if (length < 2 || !random.chance(settings.split)) return length;
    this.#network.count('splits');
    return random.integer(1, length - 1);
  }

  #serveReceives(): void {
    const { incoming } = this.#end;
    for (;;) {
      const operation = this.#receives.first;
      if (operation === undefined) return;
      if (incoming.available > 0) {
        if (this.#network.settings.selectsBuffers) {
          if (!this.#fillBuffer(operation)) return;
        } else {
          const count = this.#cut(Math.min(operation.length, incoming.available));
          this.#receives.shift();
          this.#network.frequent.bytesReceived += count;
          const start = incoming.take(count);
          this.#reporter.fill(operation, count, incoming.taken, start, count);
        }
      } else if (incoming.ended || this.#end.isReset) {
        this.#receives.shift();
        // The end, where it came before a reset, is told first and for good.
        const result = incoming.ended ? 0 : layout.ERROR_RESET;
        this.#reporter.finish(operation, result);
      } else {
        return;
      }
    }
  }

  /** Hands one buffer to an armed receive. False when the receive has ended. */
  #fillBuffer(operation: Operation): boolean {
    const { incoming } = this.#end;
    const { random, settings } = this.#network;
    const isSpurious = random.chance(settings.bufferExhaustion / 2);
    const buffer = isSpurious ? layout.NOTHING : this.#host.takeBuffer();
    if (buffer < 0) {
      this.#network.count('receivesWithoutBuffer');
      this.#receives.shift();
      this.#reporter.finish(operation, layout.ERROR_NO_BUFFERS);
      return false;
    }
    const count = this.#cut(Math.min(this.#host.bufferBytes, incoming.available));
    const { u8, u32 } = this.#host.core;
    const start = incoming.take(count);
    incoming.taken.copy(start, count, u8, u32, this.#host.bufferOffset(buffer));
    this.#network.frequent.bytesReceived += count;
    const isLast = random.chance(settings.disarm);
    if (isLast) {
      this.#network.count('disarmed');
      this.#receives.shift();
      operation.isDecided = true;
    }
    this.#reporter.reportBuffer(operation, count, buffer);
    return !isLast;
  }

  #serveSends(): void {
    const { outgoing, incoming } = this.#end;
    for (;;) {
      const operation = this.#sends[0];
      if (operation === undefined) return;
      if (this.#end.isReset) {
        this.#sends.shift();
        const result = incoming.ended ? layout.ERROR_BROKEN_PIPE : layout.ERROR_RESET;
        this.#reporter.finish(operation, result);
      } else if (outgoing.isFinishSent) {
        this.#sends.shift();
        this.#reporter.finish(operation, layout.ERROR_BROKEN_PIPE);
      } else if (operation.kind === 'shutdown') {
        this.#sends.shift();
        outgoing.finish();
        this.#reporter.finish(operation, 0);
      } else if (!this.#sendSome(operation)) {
        return;
      }
    }
  }

  /** Hands bytes of the first send to the network. False when there is no room for more. */
  #sendSome(operation: Operation): boolean {
    const { outgoing } = this.#end;
    const rest = operation.length - operation.done;
    const most = Math.min(rest, outgoing.room);
    if (most === 0 && rest > 0) return false;
    const count = this.#cut(most);
    if (count > 0) {
      const start = operation.offset + operation.done;
      outgoing.send(this.#host.core.u8.slice(start, start + count));
      this.#network.frequent.bytesSent += count;
      operation.done += count;
    }
    const isCut = count < most && this.#network.settings.sendDepth === 1;
    if (operation.done === operation.length || isCut) {
      if (operation.done < operation.length) this.#network.count('partialSends');
      this.#sends.shift();
      this.#reporter.finish(operation, operation.done);
    }
    return true;
  }
}
