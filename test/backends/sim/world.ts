/** A paused network with a few drivers on it, and a loop that only writes down what it is told. */
import type { BackendHost, Driver, Endpoint, StreamOptions } from '../../../backends/backend.ts';
import { type SimOptions, type SimSelection, sim } from '../../../backends/sim/index.ts';
import { Core } from '../../../src/core/core.ts';

export const STREAM: StreamOptions = { noDelay: true, keepAliveMs: 0 };

export interface Completed {
  readonly token: number;
  readonly result: number;
  readonly flags: number;
  readonly buffer: number;
  readonly systemError: number;
}

const BUFFER_BYTES = 4096;
const BUFFERS = 16;

/** One driver with its memory. */
export class Port {
  readonly core = Core.create({ memoryBytes: 4 * 1024 * 1024 });
  readonly completed: Completed[] = [];
  readonly driver: Driver;
  readonly free: number[] = Array.from({ length: BUFFERS }, (_, slot) => slot);
  readyCalls = 0;
  readonly #pool = this.core.reserve(BUFFER_BYTES * BUFFERS);
  #token = 1;
  #last = new Map<number, Completed>();

  constructor(selection: SimSelection) {
    const host: BackendHost = {
      core: this.core,
      // Only native backends look at these.
      sizes: { maxConnections: 0, maxOperations: 0 },
      operations: 0,
      operationCapacity: 0,
      completions: 0,
      port: 0,
      bufferBytes: BUFFER_BYTES,
      complete: (token, result, flags = 0, buffer = -100, systemError = 0) => {
        const completed = { token, result, flags, buffer, systemError };
        this.completed.push(completed);
        this.#last.set(token, completed);
      },
      takeBuffer: () => this.free.pop() ?? -100,
      bufferOffset: (slot) => this.#pool + slot * BUFFER_BYTES,
      returnBuffer: (slot) => {
        this.free.push(slot);
      },
    };
    this.driver = selection.create(host, selection.options) as Driver;
    this.driver.attach(() => {
      this.readyCalls += 1;
    });
  }

  token(): number {
    this.#token += 1;
    return this.#token;
  }

  /** The last completion of a token. */
  of(token: number): Completed | undefined {
    return this.#last.get(token);
  }

  result(token: number): number | undefined {
    return this.#last.get(token)?.result;
  }

  all(token: number): Completed[] {
    return this.completed.filter((completed) => completed.token === token);
  }

  /** Reserves memory and fills it. */
  place(bytes: Uint8Array | number): number {
    const offset = this.core.reserve(typeof bytes === 'number' ? bytes : bytes.length);
    if (typeof bytes !== 'number') this.core.u8.set(bytes, offset);
    return offset;
  }

  bytes(offset: number, length: number): Uint8Array {
    return this.core.u8.slice(offset, offset + length);
  }

  bufferBytes(slot: number, length: number): Uint8Array {
    return this.bytes(this.#pool + slot * BUFFER_BYTES, length);
  }

  /** Submits one operation and flushes. */
  submit(operate: (driver: Driver, token: number) => void): number {
    const token = this.token();
    operate(this.driver, token);
    this.driver.flush();
    return token;
  }

  receive(handle: number, length: number): { token: number; offset: number } {
    const offset = length === 0 ? 0 : this.place(length);
    return { token: this.submit((d, token) => d.receive(token, handle, offset, length)), offset };
  }

  send(handle: number, bytes: Uint8Array): { token: number; offset: number } {
    const offset = this.place(bytes);
    return { token: this.submit((d, t) => d.send(t, handle, offset, bytes.length)), offset };
  }

  close(handle: number, reset = false): number {
    return this.submit((driver, token) => driver.close(token, handle, reset));
  }
}

export interface World {
  readonly selection: SimSelection;
  readonly server: Port;
  readonly client: Port;
  settle(): void;
}

/** Two drivers on one paused network. */
export function world(options: SimOptions = {}): World {
  const selection = sim({ paused: true, ...options });
  return {
    selection,
    server: new Port(selection),
    client: new Port(selection),
    settle: () => {
      selection.network.settle();
    },
  };
}

export function listenOn(port: Port, endpoint: Endpoint, backlog = 511): number {
  return port.submit((driver, token) =>
    driver.listen(token, endpoint, { ...STREAM, backlog, reusePort: false, ipv6Only: false }),
  );
}

export function connectTo(port: Port, endpoint: Endpoint): number {
  return port.submit((driver, token) => driver.connect(token, endpoint, STREAM));
}

export interface Connected extends World {
  readonly listener: number;
  readonly accepting: number;
  /** Handles of the two ends. */
  readonly serverEnd: number;
  readonly clientEnd: number;
}

/** A world with one connection. */
export function connected(options: SimOptions = {}): Connected {
  const made = world(options);
  const { server, client, settle } = made;
  const listening = listenOn(server, { host: '127.0.0.1', port: 7000 });
  settle();
  const listener = server.result(listening) as number;
  const accepting = server.submit((driver, token) => driver.accept(token, listener));
  const connecting = connectTo(client, { host: '127.0.0.1', port: 7000 });
  settle();
  return {
    ...made,
    listener,
    accepting,
    serverEnd: server.result(accepting) as number,
    clientEnd: client.result(connecting) as number,
  };
}

/** Bytes that count up, so that a misplaced one shows. */
export function counting(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 255);
}
