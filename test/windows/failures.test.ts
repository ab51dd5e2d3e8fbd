/**
 * Calls of Windows that fail at set-up: each is an error with a code, or the
 * listener goes on and counts it; nothing is left open and nothing crashes.
 * The system is the real one but for one function.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BackendSelection } from '../../backends/backend.ts';
import { IocpDriver } from '../../backends/iocp/driver.ts';
import { iocp } from '../../backends/iocp/index.ts';
import { checkOptions } from '../../backends/iocp/options.ts';
import { loadSystem, type System } from '../../backends/iocp/system.ts';
import {
  connect,
  datagram,
  line,
  listen,
  OverlappedError,
  openPort,
  type Port,
} from '../../src/index.ts';

const test = suite('calls that fail at set-up');

/** How often is looked, every 10 ms, for what has to come: on a loaded machine that takes a while. */
const LOOKS = 3000;

/** The error of the system that the next question for it answers, or 0. */
class Saboteur {
  #error = 0;
  /** How often the function failed. */
  failures = 0;
  readonly name: string;
  readonly #result: number;
  readonly #code: number;
  readonly #isDue: (parameters: readonly unknown[]) => boolean;

  /** `name` fails with `result` and the error `code`, where `isDue` says so. */
  constructor(
    name: string,
    result: number,
    code: number,
    isDue: (parameters: readonly unknown[]) => boolean = () => true,
  ) {
    this.name = name;
    this.#result = result;
    this.#code = code;
    this.#isDue = isDue;
  }

  get title(): string {
    return `${this.name} fails with ${this.#code}`;
  }

  wrap(system: System): System {
    const { win32, extensions, koffi } = system;
    return {
      koffi,
      win32: this.#functions(win32),
      extensions: this.#functions(extensions),
    };
  }

  #functions<Functions extends object>(functions: Functions): Functions {
    type Call = (...parameters: unknown[]) => unknown;
    return new Proxy(functions, {
      get: (target, name) => {
        const original = Reflect.get(target, name) as Call;
        if (name === 'WSAGetLastError' || name === 'GetLastError') {
          return () => {
            const error = this.#error;
            this.#error = 0;
            return error === 0 ? original() : error;
          };
        }
        if (name !== this.name) return original;
        return (...parameters: unknown[]) => {
          if (!this.#isDue(parameters)) return original(...parameters);
          this.failures++;
          this.#error = this.#code;
          return this.#result;
        };
      },
    });
  }

  get selection(): BackendSelection {
    const { memoryBytes, probe } = iocp();
    return {
      name: 'iocp',
      options: {},
      probe,
      create: async (host) => new IocpDriver(host, this.wrap(await loadSystem()), checkOptions({})),
      memoryBytes: (_options, sizes) => memoryBytes?.({}, sizes) ?? 0,
    };
  }
}

const NOTHING = { operations: 0, handles: 0, lent: 0, buffers: 0, connections: 0 };
const LOOPBACK = { host: '127.0.0.1', port: 0 };

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'none',
    (error) => error.code ?? `no code: ${error}`,
  );
}

/** Everything is given back, down to the sockets. */
async function endAll(port: Port): Promise<void> {
  assert.equal(await port.close(), NOTHING);
  const { socketsOpen, handlesOpen, acceptsPending } = port.statistics().backend;
  assert.equal(
    { socketsOpen, handlesOpen, acceptsPending },
    { socketsOpen: 0, handlesOpen: 0, acceptsPending: 0 },
  );
}

const FAILED = -1;
/** A socket's association has another first parameter than the making of the port. */
const isAssociation = ([file]: readonly unknown[]) => file !== -1;
const isPort = ([file]: readonly unknown[]) => file === -1;

interface Call {
  readonly saboteur: () => Saboteur;
  readonly code: string;
  /** What else needs it, besides `listen`. */
  readonly connects: boolean;
  readonly binds: boolean;
}

function call(
  name: string,
  error: number,
  code: string,
  { result = FAILED, connects = true, binds = true, isDue = () => true } = {} as {
    result?: number;
    connects?: boolean;
    binds?: boolean;
    isDue?: (parameters: readonly unknown[]) => boolean;
  },
): Call {
  return { saboteur: () => new Saboteur(name, result, error, isDue), code, connects, binds };
}

const CALLS: readonly Call[] = [
  call('WSASocketW', 10024, 'NO_BUFFERS'),
  call('ioctlsocket', 10055, 'NO_BUFFERS'),
  call('setsockopt', 10013, 'ACCESS', { connects: false, binds: false }),
  call('bind', 10048, 'ADDRESS_IN_USE'),
  call('bind', 10013, 'ACCESS'),
  call('bind', 10049, 'UNREACHABLE'),
  call('listen', 10055, 'NO_BUFFERS', { connects: false, binds: false }),
  call('CreateIoCompletionPort', 8, 'NO_BUFFERS', { result: 0, isDue: isAssociation }),
  // ERROR_NO_SYSTEM_RESOURCES, for which Winsock has another number.
  call('CreateIoCompletionPort', 1450, 'NO_BUFFERS', { result: 0, isDue: isAssociation }),
];

for (const { saboteur: make, code, connects, binds } of CALLS) {
  test(make().title, async () => {
    const saboteur = make();
    const port = await openPort({ backend: saboteur.selection });
    assert.is(await codeOf(listen({ on: port, ...LOOPBACK })), code, 'listen');
    assert.ok(saboteur.failures > 0);
    const to = { on: port, host: '127.0.0.1', port: 1 };
    assert.is(await codeOf(connect(to)), connects ? code : 'REFUSED', 'connect');
    assert.is(await codeOf(datagram({ on: port, ...LOOPBACK })), binds ? code : 'none', 'bind');
    await endAll(port);
  });
}

test('ConnectEx fails at once', async () => {
  const { selection } = new Saboteur('ConnectEx', 0, 10051);
  const port = await openPort({ backend: selection });
  assert.is(await codeOf(connect({ on: port, host: '127.0.0.1', port: 1 })), 'UNREACHABLE');
  await endAll(port);
});

test('no completion port is to be had', async () => {
  const { selection } = new Saboteur('CreateIoCompletionPort', 0, 1450, isPort);
  for (const open of [
    () => openPort({ backend: selection }),
    () => listen({ backend: selection, ...LOOPBACK }),
  ]) {
    const error = await open().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.instance(error, OverlappedError);
    assert.is((error as OverlappedError).code, 'NO_BUFFERS');
  }
});

test('a listener whose AcceptEx fails goes on when it can, and counts', async () => {
  let isFailing = true;
  const saboteur = new Saboteur('AcceptEx', 0, 10055, () => isFailing);
  const port = await openPort({ backend: saboteur.selection });
  const server = await listen({
    on: port,
    ...LOOPBACK,
    framing: line(),
    message(connection, message) {
      connection.send(message);
    },
  });
  for (let i = 0; i < LOOKS && server.statistics().acceptErrors < 3; i++) await sleep(10);
  assert.ok(server.statistics().acceptErrors >= 3);
  assert.ok(Number(port.statistics().errors.NO_BUFFERS) >= 3);
  isFailing = false;
  const client = await connect({
    on: port,
    host: '127.0.0.1',
    port: server.address.port,
    framing: line(),
  });
  client.send('still here');
  for await (const message of client) {
    assert.is(new TextDecoder().decode(message), 'still here');
    break;
  }
  assert.is(server.statistics().accepted, 1);
  await endAll(port);
});

test('a listener whose AcceptEx fails for ever can be closed', async () => {
  const saboteur = new Saboteur('AcceptEx', 0, 10022);
  const port = await openPort({ backend: saboteur.selection });
  const server = await listen({ on: port, ...LOOPBACK });
  for (let i = 0; i < LOOKS && server.statistics().acceptErrors < 2; i++) await sleep(10);
  await server.close();
  await endAll(port);
});

test('receives and sends that fail at once end their connection with the error', async () => {
  for (const name of ['WSARecv', 'WSASend']) {
    let isFailing = false;
    const saboteur = new Saboteur(name, FAILED, 10055, () => isFailing);
    const port = await openPort({ backend: saboteur.selection });
    const other = await openPort({ backend: iocp() });
    const codes: string[] = [];
    const server = await listen({
      on: port,
      ...LOOPBACK,
      framing: line(),
      message(connection, message) {
        isFailing = true;
        connection.send(message);
      },
      close(_connection, error) {
        codes.push(error?.code ?? 'none');
      },
    });
    const client = await connect({
      on: other,
      host: '127.0.0.1',
      port: server.address.port,
      framing: line(),
    });
    // The next receive is pending before a message is handled: one message is not enough.
    for (let i = 0; i < LOOKS && codes.length === 0 && client.sendConnected; i++) {
      client.send('hello');
      await sleep(10);
    }
    for (let i = 0; i < LOOKS && codes.length === 0; i++) await sleep(10);
    assert.equal(codes, ['NO_BUFFERS'], name);
    isFailing = false;
    client.abort();
    await endAll(port);
    await endAll(other);
  }
});

test('a datagram socket whose receives fail reports it, and can be closed', async () => {
  let isFailing = true;
  const saboteur = new Saboteur('WSARecvFrom', FAILED, 10055, () => isFailing);
  const port = await openPort({ backend: saboteur.selection });
  const codes: string[] = [];
  const messages: string[] = [];
  const socket = await datagram({
    on: port,
    ...LOOPBACK,
    message: (_socket, bytes) => void messages.push(new TextDecoder().decode(bytes)),
    error: (_socket, { code }) => void codes.push(code),
  });
  for (let i = 0; i < LOOKS && codes.length === 0; i++) await sleep(10);
  assert.is(codes[0], 'NO_BUFFERS');
  isFailing = false;
  const { port: number } = socket.address;
  socket.send(new TextEncoder().encode('to itself'), { host: '127.0.0.1', port: number });
  for (let i = 0; i < LOOKS && messages.length === 0; i++) await sleep(10);
  assert.equal(messages, ['to itself']);
  await endAll(port);
});

test.run();
