/** Who talks to the order experiment's server: a thread in the simulation, a real server that it connects to else. */
import { deferred } from '../deferred.ts';
import { type Connection, listen, raw } from '../index.ts';
import { type SharedSocketBackend, sharedSockets } from '../registry.ts';
import type { Stage } from './board.ts';
import { EchoClient, type EchoPlan } from './echo-client.ts';

export interface OrderClientTask {
  readonly backend: SharedSocketBackend;
  readonly socket: unknown;
  readonly plan: EchoPlan;
  /** Room for a packet, and for replies. */
  readonly buffers: number;
}

type Tally = ReturnType<EchoClient['end']>;

export const REPLY_BYTES = 4096;
const REPLIES = 4;
/** Nothing came for so long: nothing more comes. In looks, because a machine may stand still for as long. */
const SILENCE_MS = 3000;
const WAIT_MS = 5;
const LOOK_MS = 300;

export function clientBytes({ packetBytes }: EchoPlan): number {
  return packetBytes + REPLIES * REPLY_BYTES;
}

/** The client as a thread. */
export async function runOrderClient({ core, board }: Stage, task: OrderClientTask) {
  const { plan, buffers } = task;
  const socket = (await sharedSockets(task.backend)).attach(core, task.socket, true);
  const client = new EchoClient(plan);
  const replyAt = (slot: number) => buffers + plan.packetBytes + slot * REPLY_BYTES;
  const receive = (slot: number) => socket.receive(slot, replyAt(slot), REPLY_BYTES);
  let unsent = 0;

  /** Sends while there is room and leave; false if it could not send anything. */
  const send = (): void => {
    for (;;) {
      if (unsent === 0) {
        const packet = client.next();
        if (packet === undefined) return;
        core.u8.set(packet, buffers);
        unsent = packet.length;
      }
      const taken = socket.send(buffers + plan.packetBytes - unsent, unsent);
      if (taken === 0) return;
      unsent -= taken;
    }
  };
  return (): Tally => {
    for (let slot = 0; slot < REPLIES; slot++) receive(slot);
    let silentLooks = 0;
    while (!client.isDone && !board.stopped) {
      send();
      const received = socket.dequeue(WAIT_MS);
      if (received === undefined) {
        if (++silentLooks > SILENCE_MS / WAIT_MS) break;
        continue;
      }
      silentLooks = 0;
      if (received.bytes === 0) break;
      client.push(
        core.u8.subarray(replyAt(received.slot), replyAt(received.slot) + received.bytes),
      );
      receive(received.slot);
    }
    socket.finish();
    return client.end();
  };
}

/** The client on the accepting side of a real socket. */
export interface OrderServerSide {
  readonly port: number;
  /** Resolves when all replies are there, or none comes any more. */
  readonly done: Promise<Tally>;
  begin(): void;
  close(): Promise<void>;
}

export async function serveOrderClient(plan: EchoPlan): Promise<OrderServerSide> {
  const client = new EchoClient(plan);
  const done = deferred<Tally>();
  let open: Connection | undefined;
  let hasBegun = false;
  let isOver = false;
  let silentLooks = 0;
  const pump = (): void => {
    if (!hasBegun || open === undefined) return;
    while (open.sendConnected) {
      const packet = client.next();
      if (packet === undefined || !open.send(packet)) break;
    }
    if (client.isDone) finish();
  };
  const finish = (): void => {
    clearInterval(silence);
    if (isOver) return;
    isOver = true;
    done.resolve(client.end());
    open?.end();
  };
  const silence = setInterval(() => {
    if (hasBegun && ++silentLooks > SILENCE_MS / LOOK_MS) finish();
  }, LOOK_MS);
  const server = await listen({
    backend: 'net',
    framing: raw(),
    open(connection) {
      open = connection;
      pump();
    },
    message(_connection, bytes) {
      silentLooks = 0;
      client.push(bytes);
      pump();
    },
    drain: pump,
    end: finish,
    error: () => {},
    close: finish,
  });
  return {
    port: server.address.port,
    done: done.promise,
    begin() {
      hasBegun = true;
      pump();
    },
    async close() {
      clearInterval(silence);
      open?.abort();
      await server.close();
    },
  };
}
