/** Our echo server, which checks what it hears and writes down what happens to each connection. */
import type { Connection, ListenOptions, OverlappedError, Server } from '../../src/index.ts';
import { type Context, Signal, until, within } from '../conformance/context.ts';
import { Checker, type FramePlan, peerFraming } from '../peer/frames.ts';

/** What became of one connection. */
export class Seen {
  readonly connection: Connection;
  readonly checker: Checker;
  /** `end`, `error CODE`, `close CODE`, in their order. */
  readonly events: string[] = [];
  readonly #closed = new Signal();

  constructor(connection: Connection, plan: FramePlan) {
    this.connection = connection;
    this.checker = new Checker(plan);
  }

  get closed(): Promise<void> {
    return within('the close', this.#closed.promise);
  }

  failed(error: OverlappedError): void {
    this.events.push(`error ${error.code}`);
  }

  over(error: OverlappedError | undefined): void {
    this.events.push(`close ${error?.code ?? 'clean'}`);
    this.#closed.resolve();
  }
}

export class EchoServer {
  readonly server: Server;
  /** In the order in which they were opened. */
  readonly seen: readonly Seen[];

  private constructor(server: Server, seen: readonly Seen[]) {
    this.server = server;
    this.seen = seen;
  }

  /** @param options handlers among them come after its own */
  static async listen(
    context: Context,
    plan: FramePlan,
    options: ListenOptions = {},
  ): Promise<EchoServer> {
    const seen: Seen[] = [];
    const of = (connection: Connection) => connection.data as Seen;
    const server = await context.listen({
      framing: peerFraming(),
      ...options,
      open(connection) {
        connection.data = new Seen(connection, plan);
        seen.push(of(connection));
        options.open?.(connection);
      },
      message(connection, bytes) {
        of(connection).checker.take(bytes);
        connection.send(bytes);
        options.message?.(connection, bytes);
      },
      end(connection) {
        of(connection).events.push('end');
        options.end?.(connection);
      },
      error: (connection, error) => of(connection).failed(error),
      close: (connection, error) => of(connection).over(error),
    });
    return new EchoServer(server, seen);
  }

  get place(): { host: string; port: number } {
    const { address, port } = this.server.address;
    return { host: address, port };
  }

  /** The connection with that number, once it is there and has gone. */
  async gone(index: number): Promise<Seen> {
    await until(`connection ${index}`, () => this.seen.length > index);
    const seen = this.seen[index] as Seen;
    await seen.closed;
    return seen;
  }
}
