/**
 * Requests and responses as objects: many requests at once over one connection,
 * told apart by their ids, with time-outs and errors that reach the caller.
 *
 *   node examples/rpc-msgpack.ts
 */
import { type Connection, connect, lengthField, listen } from 'overlapped';
import { msgpack } from 'overlapped/msgpack';

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}
interface Response {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}
type Message = Request | Response;

// Both sides agree on these two: how messages are cut, and what is in them.
const protocol = { framing: lengthField({ size: 4 }), codec: msgpack<Message>() };

/** What the server can do. */
const methods: Record<string, (...params: never[]) => unknown> = {
  add: (a: number, b: number) => a + b,
  sleep: async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return `slept ${ms} ms`;
  },
};

/** The answer to what a peer sent, which can be anything that MessagePack can say. */
async function answer(message: Partial<Request> | null): Promise<Response> {
  const id = Number(message?.id);
  try {
    const name = String(message?.method);
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (method === undefined) throw new Error(`no method ${name}`);
    return { id, result: await method(...((message?.params ?? []) as never[])) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

const server = await listen<Message>({
  ...protocol,
  async message(connection, message) {
    const response = await answer(message as Request);
    // The peer may have gone while the method ran.
    if (connection.sendConnected) connection.send(response);
  },
  // A message that is no MessagePack ends its own connection, and no other.
  error: (connection, error) => console.error(`connection ${connection.id}: ${error.message}`),
});

/** The client's side: calls wait for the response with their id. */
class Client {
  #lastId = 0;
  readonly #waiting = new Map<number, (response: Response) => void>();
  #connection: Connection<Message> | undefined;

  async connect(port: number): Promise<void> {
    this.#connection = await connect<Message>({
      ...protocol,
      port,
      message: (_connection, message) => {
        const response = message as Response;
        this.#waiting.get(response.id)?.(response);
      },
      // Whoever still waits when the connection ends is told so.
      close: (_connection, error) => {
        const why = error?.message ?? 'the connection ended';
        for (const [id, settle] of this.#waiting) settle({ id, error: why });
      },
    });
  }

  call(method: string, params: readonly unknown[], timeoutMs = 5_000): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const settle = (response: Response) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if (response.error === undefined) resolve(response.result);
        else reject(new Error(`${method}: ${response.error}`));
      };
      const timer = setTimeout(
        () => settle({ id, error: `no answer in ${timeoutMs} ms` }),
        timeoutMs,
      );
      this.#waiting.set(id, settle);
      this.#connection?.send({ id, method, params });
    });
  }

  close = () => this.#connection?.close();
}

const client = new Client();
await client.connect(server.address.port);

// The slow call is sent first and answered last: nothing waits behind it.
const calls = await Promise.allSettled([
  client.call('sleep', [200]),
  client.call('add', [2, 3]),
  client.call('sleep', [1_000], 300),
  client.call('divide', [1, 0]),
]);
for (const call of calls) {
  console.log(call.status === 'fulfilled' ? call.value : String(call.reason));
}

await client.close();
await server.close();
