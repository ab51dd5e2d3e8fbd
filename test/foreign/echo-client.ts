/** Our client of a foreign echo server: sends a plan of frames, checks what comes back. */
import type { Connection, ConnectOptions } from '../../src/index.ts';
import { connect } from '../../src/index.ts';
import { type Context, Signal, within } from '../conformance/context.ts';
import { type FramePlan, message, peerFraming } from '../peer/frames.ts';
import { Seen } from './echo-server.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

export class EchoClient {
  readonly connection: Connection;
  readonly seen: Seen;
  /** All of the plan has come back. */
  readonly complete: Promise<void>;

  private constructor(connection: Connection, seen: Seen, complete: Promise<void>) {
    this.connection = connection;
    this.seen = seen;
    this.complete = complete;
  }

  /** @param options handlers among them come after its own */
  static async connect(
    context: Context,
    place: Place,
    plan: FramePlan,
    options: ConnectOptions = {},
  ): Promise<EchoClient> {
    const complete = new Signal();
    const of = (connection: Connection) => connection.data as Seen;
    const connection = await within(
      'connect',
      connect({
        framing: peerFraming(),
        ...options,
        ...place,
        on: context.client,
        open(opened) {
          opened.data = new Seen(opened, plan);
        },
        message(each, bytes) {
          const { checker } = of(each);
          checker.take(bytes);
          if (checker.isComplete) complete.resolve();
          options.message?.(each, bytes);
        },
        end(each) {
          of(each).events.push('end');
          options.end?.(each);
        },
        error: (each, error) => of(each).failed(error),
        close: (each, error) => of(each).over(error),
      }),
    );
    return new EchoClient(connection, of(connection), complete.promise);
  }

  /** Sends the messages from `first` up to `end`, as fast as they are welcome, while the connection lives. */
  async send(first = 0, end = this.seen.checker.plan.messages): Promise<void> {
    const { connection } = this;
    for (let number = first; number < end; number += 1) {
      if (!connection.sendConnected) return;
      const isWelcome = connection.send(message(this.seen.checker.plan, number));
      if (!isWelcome && connection.sendConnected) await connection.drained().catch(() => {});
    }
  }
}
