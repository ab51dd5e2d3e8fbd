/**
 * The network itself: who listens where, how connections come about, and how
 * datagrams travel. It knows addresses and bytes, neither tokens nor memory.
 *
 * One object, shared by every driver of a selection. It is used by one thread
 * so far. Several threads need one lock, taken by each public method here, by
 * the pump around each event, and by the drivers around `perform`.
 */
import * as layout from '#generated/layout';
import type { Endpoint } from '../backend.ts';
import { AddressTable } from './address-table.ts';
import { isSame, isWildcard, loopbackOf, Names, type NetworkAddress } from './addresses.ts';
import { Counters } from './counters.ts';
import { type SimOptions, type SimSettings, settingsOf } from './options.ts';
import { Pump, type PumpedDriver, type PumpedNetwork } from './pump.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { Pipe, StreamEnd, type StreamNetwork } from './stream.ts';

/** A connect under way. It ends by exactly one call of `settle`, unless `isOff`. */
export interface Attempt {
  readonly endpoint: Endpoint;
  /** Called off: nothing is to come of it any more. */
  isOff: boolean;
  /** In line behind a full backlog. */
  isWaiting: boolean;
  settle(outcome: StreamEnd | number): void;
}

/** Who listens. `onConnection` comes in an event of the network. */
export interface Listening {
  readonly address: NetworkAddress;
  readonly reusePort: boolean;
  readonly backlog: number;
  readonly queue: StreamEnd[];
  onConnection(): void;
}

/** Who is bound for datagrams. `arrive` comes in an event of the network. */
export interface Bound {
  readonly address: NetworkAddress;
  readonly peer: NetworkAddress | undefined;
  readonly reuseAddress: boolean;
  lastArrivalMs: number;
  arrive(bytes: Uint8Array, from: NetworkAddress): void;
  /** The peer's address has nobody. */
  refused(): void;
}

/** A backlog with somebody in line behind it. */
interface Queued extends Listening {
  waiting?: { attempt: Attempt; address: NetworkAddress }[];
}

export class SimNetwork implements PumpedNetwork, StreamNetwork {
  readonly settings: SimSettings;
  readonly scheduler = new Scheduler();
  /** Decides everything that happens. */
  readonly random: Random;
  /** Patterns only, so that checking does not change what happens. */
  readonly patternRandom: Random;
  readonly drivers = new Set<PumpedDriver>();
  readonly #names = new Names();
  readonly #listening = new AddressTable<Queued>();
  readonly #bound = new AddressTable<Bound>();
  readonly #counters = new Counters();
  /** Those counters that are no names, because they change all the time. */
  readonly frequent = this.#counters.frequent;
  readonly #pump: Pump;
  readonly #violations: Error[] = [];
  #driversMade = 0;

  constructor(options: SimOptions = {}) {
    this.settings = settingsOf(options);
    this.random = new Random(this.settings.seed);
    this.patternRandom = new Random(this.settings.seed + 0x5eed);
    this.#pump = new Pump(this);
  }

  /** Virtual time in milliseconds. */
  get nowMs(): number {
    return this.scheduler.nowMs;
  }

  get counters(): Readonly<Record<string, number>> {
    return this.#counters.all;
  }

  count(name: string, amount = 1): void {
    this.#counters.count(name, amount);
  }

  /** Notes a breach of the contract by the loop: the pump throws it. */
  violate(counter: string, message: string): void {
    this.count(counter);
    this.#violations.push(new Error(`sim: ${message}`));
  }

  takeViolations(): Error[] {
    return this.#violations.splice(0);
  }

  trace(line: string): void {
    this.settings.trace?.push(`${this.nowMs} ${line}`);
  }

  /** Number of a new driver. */
  join(driver: PumpedDriver): number {
    this.drivers.add(driver);
    this.#driversMade += 1;
    return this.#driversMade - 1;
  }

  /** There is something to do: makes sure that the pump runs. */
  kick(): void {
    this.#pump.kick();
  }

  // ------------------------------------------------------------ by hand

  /**
   * One pass: moves time to the next thing if nothing is due, does a batch of
   * what is due, and lets the loops handle what was reported. For `paused`.
   * @returns false when nothing was left to do
   * @throws Error on a breach of the contract, such as a touched lent range
   */
  step(untilMs = Infinity): boolean {
    return this.#pump.pass(untilMs);
  }

  /** Steps until nothing of the network is left to happen; timers stay. Returns the number of passes. */
  settle(mostSteps = 100_000): number {
    let steps = 0;
    while (this.scheduler.networkPending > 0 && steps < mostSteps && this.step()) steps += 1;
    return steps;
  }

  /** Lets virtual time pass, with all that happens in it. */
  advance(delayMs: number): void {
    const untilMs = this.nowMs + delayMs;
    while (this.step(untilMs));
    this.scheduler.advance(untilMs);
  }

  // ------------------------------------------------------------ addresses

  resolve(endpoint: Endpoint): NetworkAddress {
    return this.#names.resolve(endpoint);
  }

  // ------------------------------------------------------------ connections

  /** Starts to listen. The listener's address, or a negative ERROR_*. */
  listen(
    endpoint: Endpoint,
    make: (address: NetworkAddress) => Listening,
    reusePort: boolean,
  ): Listening | number {
    const wanted = this.resolve(endpoint);
    const address = this.#listening.withPort(wanted);
    const rivals = this.#listening.at(address);
    if (rivals.some((rival) => !(reusePort && rival.reusePort))) {
      return layout.ERROR_ADDRESS_IN_USE;
    }
    const listening = make(address);
    this.#listening.add(listening);
    return listening;
  }

  /** Ends a listener: who is in its queue is reset, who waits for a place is refused. */
  unlisten(listening: Listening): void {
    this.#listening.remove(listening);
    for (const end of listening.queue.splice(0)) end.close(true);
    const { waiting } = listening as Queued;
    for (const { attempt } of waiting?.splice(0) ?? []) {
      this.#later(() => attempt.isOff || attempt.settle(layout.ERROR_REFUSED));
    }
  }

  /** The next connection in a listener's queue. */
  accept(listening: Listening): StreamEnd | undefined {
    const end = listening.queue.shift();
    const { waiting } = listening as Queued;
    if (end !== undefined && waiting !== undefined) {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        if (next.attempt.isOff) continue;
        next.attempt.isWaiting = false;
        this.#establish(next.attempt, listening, next.address);
        break;
      }
    }
    return end;
  }

  connect(attempt: Attempt): void {
    const { settings, scheduler } = this;
    const address = this.resolve(attempt.endpoint);
    const host = 'host' in attempt.endpoint ? attempt.endpoint.host : attempt.endpoint.path;
    const isOneOf = (hosts: readonly string[]) => hosts.includes(host);
    if (isOneOf(settings.blackhole)) {
      scheduler.at(
        this.nowMs + settings.connectTimeoutMs,
        () => attempt.isOff || attempt.settle(layout.ERROR_TIMED_OUT),
        'patient',
      );
      return;
    }
    this.#later(() => {
      if (attempt.isOff) return;
      if (isOneOf(settings.unreachable)) {
        attempt.settle(layout.ERROR_UNREACHABLE);
        return;
      }
      const listeners = this.#listening.at(address);
      if (listeners.length === 0) {
        this.#later(() => attempt.isOff || attempt.settle(layout.ERROR_REFUSED));
        return;
      }
      const chosen = listeners.length === 1 ? 0 : this.random.integer(0, listeners.length - 1);
      const listening = listeners[chosen] as Queued;
      if (listening.queue.length >= listening.backlog) {
        listening.waiting ??= [];
        listening.waiting.push({ attempt, address });
        attempt.isWaiting = true;
        return;
      }
      this.#establish(attempt, listening, address);
    });
  }

  #establish(attempt: Attempt, listening: Listening, remote: NetworkAddress): void {
    const local: NetworkAddress =
      remote.family === 'path'
        ? { family: 'path', text: '', port: 0 }
        : {
            family: remote.family,
            text: loopbackOf(remote),
            port: this.#listening.freePort(),
          };
    const actual = isWildcard(remote) ? { ...remote, text: loopbackOf(remote) } : remote;
    const there = new Pipe(this);
    const back = new Pipe(this);
    const client = new StreamEnd(this, back, there, local, actual);
    const server = new StreamEnd(this, there, back, actual, local);
    this.count('connections');
    listening.queue.push(server);
    listening.onConnection();
    this.#later(() => {
      if (attempt.isOff) client.close(true);
      else attempt.settle(client);
    });
  }

  /** After one way through the network. */
  #later(run: () => void): void {
    this.scheduler.at(this.nowMs + this.random.between(this.settings.delayMs), run);
  }

  // ------------------------------------------------------------ datagrams

  bind(
    endpoint: Endpoint,
    make: (address: NetworkAddress) => Bound,
    reuseAddress: boolean,
  ): Bound | number {
    const wanted = this.resolve(endpoint);
    if (wanted.family === 'path') return layout.ERROR_NOT_SUPPORTED;
    const address = this.#bound.withPort(wanted);
    const rivals = this.#bound.at(address);
    if (rivals.some((rival) => !(reuseAddress && rival.reuseAddress))) {
      return layout.ERROR_ADDRESS_IN_USE;
    }
    const bound = make(address);
    this.#bound.add(bound);
    return bound;
  }

  unbind(bound: Bound): void {
    this.#bound.remove(bound);
  }

  /** Sends one datagram on its way; it may be lost, doubled, overtaken. */
  sendDatagram(sender: Bound, to: NetworkAddress, bytes: Uint8Array): void {
    const { random, settings, scheduler } = this;
    this.count('datagrams');
    if (random.chance(settings.datagramLoss)) {
      this.count('datagramsLost');
      return;
    }
    const from = isWildcard(sender.address)
      ? { ...sender.address, family: to.family, text: loopbackOf(to) }
      : sender.address;
    let copies = 1;
    if (random.chance(settings.datagramDuplicate)) {
      this.count('datagramsDoubled');
      copies = 2;
    }
    for (; copies > 0; copies -= 1) {
      let arrivalMs = Math.max(sender.lastArrivalMs, this.nowMs + random.between(settings.delayMs));
      if (random.chance(settings.datagramReorder)) {
        this.count('datagramsReordered');
        arrivalMs += random.between([1, 4 + 2 * settings.delayMs[1]]);
      } else {
        sender.lastArrivalMs = arrivalMs;
      }
      scheduler.at(arrivalMs, () => {
        const receiver = this.#bound.at(to).at(-1);
        if (receiver === undefined) {
          this.count('datagramsToNobody');
          if (sender.peer !== undefined) sender.refused();
        } else if (receiver.peer === undefined || isSame(receiver.peer, from)) {
          receiver.arrive(bytes, from);
        } else {
          this.count('datagramsOfStrangers');
        }
      });
    }
  }
}
