/** A server whose I/O workers share a port and dispatch to one pool: the documents' arrangement (R8). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Connection, connect, lengthField, listen, orderedPool } from '../../../src/index.ts';
import { until } from './pools.ts';

const FRAMING = lengthField({ size: 2 });
const CLIENTS = 6;
const MESSAGES = 600;
/** Of the pool's test handlers: the reply is what was sent. */
const ECHO = 0;
const DEADLY = 0xff;

/** A client that sends numbered messages, and takes the numbers of its replies. */
class Client {
  readonly numbers: number[] = [];
  readonly connection: Connection;
  isOver = false;
  #sent = 0;

  constructor(connection: Connection) {
    this.connection = connection;
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      for await (const message of this.connection) {
        this.numbers.push(new DataView(message.buffer, message.byteOffset).getUint32(4, true));
      }
    } catch {
      // Reset with the worker that had it.
    }
    this.isOver = true;
  }

  send(count: number): void {
    for (let i = 0; i < count && !this.isOver; i++) {
      const bytes = new Uint8Array(8);
      bytes[0] = ECHO;
      new DataView(bytes.buffer).setUint32(4, this.#sent++, true);
      this.connection.send(bytes);
    }
  }

  get last(): number {
    return this.#sent - 1;
  }
}

async function withServer(
  work: (port: number, deaths: string[]) => Promise<void>,
): Promise<{ readonly dropped: number; readonly dispatchers: number }> {
  const data = new Int32Array(new SharedArrayBuffer(1024));
  const handler = new URL('./pool-handlers.worker.js', import.meta.url);
  // Room for all that is sent: these handlers do not ask whether there is any.
  const capacity = 2 * CLIENTS * MESSAGES;
  const pool = await orderedPool({ handler, data, capacity, initialThreads: 2, minThreads: 2 });
  const deaths: string[] = [];
  const server = await listen({
    workers: 3,
    scheduling: 'shared',
    backend: 'net',
    framing: FRAMING,
    handlers: new URL('./pool-server.worker.js', import.meta.url),
    workerData: pool.share(),
    restart: true,
    onWorkerError: ({ code }) => deaths.push(code),
  });
  try {
    await work(server.address.port, deaths);
  } finally {
    await server.close();
    await until(() => pool.statistics().dispatchers === 0);
    await pool.close();
  }
  const { dispatchers, failures } = pool.statistics();
  return { dispatchers, dropped: failures.dropped };
}

async function clientsOf(port: number): Promise<Client[]> {
  const connections = Array.from({ length: CLIENTS }, () =>
    connect({ port, framing: FRAMING, backend: 'net' }),
  );
  return (await Promise.all(connections)).map((connection) => new Client(connection));
}

test('replies of a connection come in order, whichever worker dispatched', async () => {
  const { dropped } = await withServer(async (port) => {
    const clients = await clientsOf(port);
    for (let burst = 0; burst < MESSAGES / 20; burst++) {
      for (const client of clients) client.send(20);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await until(() => clients.every(({ numbers }) => numbers.length >= MESSAGES));
    const wanted = Array.from({ length: MESSAGES }, (_, i) => i);
    for (const { numbers } of clients) assert.equal(numbers, wanted);
    await Promise.all(clients.map(({ connection }) => connection.close()));
  });
  assert.is(dropped, 0);
});

test('a worker that dies: replies it would have sent are missing, all others come, in order', async () => {
  await withServer(async (port, deaths) => {
    const clients = await clientsOf(port);
    const deadly = (await connect({ port, framing: FRAMING, backend: 'net' })) as Connection;
    for (const client of clients) client.send(MESSAGES);
    deadly.send(new Uint8Array([DEADLY]));
    await until(() => deaths.length === 1);
    const living = () => clients.filter(({ isOver }) => !isOver);
    // What is sent from here on is dispatched by workers that live.
    for (const client of living()) client.send(50);
    await until(() => living().every(({ numbers, last }) => numbers.at(-1) === last));
    for (const { numbers } of clients) {
      assert.equal(
        numbers,
        [...new Set(numbers)].sort((a, b) => a - b),
      );
    }
    for (const { numbers, last } of living()) {
      assert.equal(
        numbers.slice(-50),
        Array.from({ length: 50 }, (_, i) => last - 49 + i),
      );
    }
    assert.is(deaths.length, 1);
    await Promise.all(clients.map(({ connection }) => connection.close()));
  });
});

test.run();
