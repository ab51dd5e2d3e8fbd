/**
 * The sender experiment (R17): threads take packets from one list and send
 * them over one socket, with a loop for partial sends; the server validates
 * every packet.
 */
import { Lock } from '../core/lock.ts';
import { Sequencer } from '../core/sequencer.ts';
import { deferred } from '../deferred.ts';
import { type Connection, listen, OverlappedError, raw } from '../index.ts';
import { type SharedSocketBackend, sharedSockets } from '../registry.ts';
import { withCrew } from './crew.ts';
import type { Experiment, Watcher } from './experiment.ts';
import { INSTANCE_BYTES, type PacketPlan, writeWord } from './packet.ts';
import { PacketValidator, type Validation } from './validator.ts';

export interface SendersOptions {
  readonly backend: SharedSocketBackend;
  readonly locks: readonly boolean[];
  readonly threads: number;
  readonly packets: number;
  readonly leastBytes: number;
  readonly mostBytes: number;
  readonly seed: number;
  readonly timeoutMs: number;
}

export interface SendersRun extends Validation {
  readonly lock: boolean;
  readonly sent: number;
  /** Threads that sent at least one packet. */
  readonly threads: number;
  /** Packets whose sending began while another was being sent. */
  readonly overlaps: number;
  readonly partialSends: number;
  readonly waits: number;
  readonly seconds: number;
  readonly held: boolean;
}

const MEMORY_BYTES = 2 ** 24;
/** Small, so that a packet does not fit at once. */
const SEND_BUFFER_BYTES = 4096;
/** The whole buffer is filled before it is looked at. */
const SINK_BYTES = 4096;
/** For the last bytes to arrive, once all is sent. */
const ARRIVAL_TIMEOUT_MS = 10_000;

export async function runSenders(
  options: SendersOptions,
  watch: Watcher,
): Promise<Experiment<SendersRun>> {
  const sockets = await sharedSockets(options.backend);
  const runs: SendersRun[] = [];
  for (const lock of options.locks) runs.push(await runOnce(options, lock, watch));
  return { runs, calls: sockets.calls, held: runs.every(({ held }) => held) };
}

async function runOnce(
  options: SendersOptions,
  isLocked: boolean,
  watch: Watcher,
): Promise<SendersRun> {
  const { backend, threads, packets, leastBytes, mostBytes, timeoutMs } = options;
  // Of the run, so that bytes of another run would be seen.
  const instance = (Math.imul(options.seed, 0x9e3779b1) ^ (isLocked ? 0x1234567 : 0x7654321)) >>> 0;
  const plan: PacketPlan = { instance, packets, leastBytes, mostBytes };
  return withCrew(MEMORY_BYTES + threads * mostBytes, async (crew) => {
    const { core, board } = crew;
    const sockets = await sharedSockets(backend);
    const isSimulated = sockets.bothEnds;
    const server = isSimulated ? undefined : await serve(plan);
    const socket = await sockets.open(core, {
      datagrams: false,
      port: server?.port ?? 0,
      slots: 1,
      overlapped: false,
      waitAll: false,
      sendBufferBytes: SEND_BUFFER_BYTES,
    });
    try {
      const { handle } = socket;
      const own = sockets.attach(core, handle, false);
      const greeting = core.reserve(INSTANCE_BYTES);
      writeWord(core.u8, greeting, instance);
      if (own.send(greeting, INSTANCE_BYTES) !== INSTANCE_BYTES) {
        throw new Error('the instance’s number could not be sent');
      }
      const lock = isLocked ? Lock.create(core).address : 0;
      const list = Sequencer.create(core).address;
      const results = Array.from({ length: threads }, () =>
        crew.add('sender', {
          backend,
          handle,
          lock,
          list,
          plan,
          buffer: core.reserve(mostBytes),
        }),
      );
      const room = { buffer: core.reserve(SINK_BYTES), bufferBytes: SINK_BYTES };
      const arrived = server?.arrived ?? crew.add('sink', { backend, handle, plan, ...room });
      const stopWatching = watch(() => {
        const name = `lock ${isLocked ? 'on' : 'off'}`;
        return `${name}: ${board.get('checked')} of ${packets} packets sent, ${board.get('overlaps')} at once with another`;
      });
      await crew.begin();
      const startedAt = performance.now();
      const { late } = await crew.finish(timeoutMs, results).finally(stopWatching);
      own.finish();
      const seen = await within(arrived, ARRIVAL_TIMEOUT_MS);
      const seconds = (performance.now() - startedAt) / 1000;
      const senders = await Promise.all(results);
      const sent = senders.reduce((sum, sender) => sum + sender.packets, 0);
      const isClean =
        seen.instance && seen.whole === packets && seen.broken + seen.doubled + seen.lost === 0;
      const isAsExpected = isLocked ? isClean : !isSimulated || !isClean || threads === 1;
      return {
        lock: isLocked,
        sent,
        ...seen,
        threads: senders.filter((sender) => sender.packets > 0).length,
        overlaps: board.get('overlaps'),
        partialSends: board.get('partial'),
        waits: board.get('waits'),
        seconds,
        held: isAsExpected && !late && sent === packets,
      };
    } finally {
      board.stop();
      await crew.end();
      await server?.close();
      await socket.close();
    }
  });
}

function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let limit: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    limit = setTimeout(() => {
      reject(new OverlappedError('TIMED_OUT', 'what was sent did not arrive'));
    }, timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(limit));
}

interface ValidatingServer {
  readonly port: number;
  /** Resolves when the connection has ended. */
  readonly arrived: Promise<Validation>;
  close(): Promise<void>;
}

async function serve(plan: PacketPlan): Promise<ValidatingServer> {
  const validator = new PacketValidator(plan);
  const arrived = deferred<Validation>();
  arrived.promise.catch(() => {});
  let open: Connection | undefined;
  const server = await listen({
    backend: 'net',
    framing: raw(),
    open: (connection) => {
      open = connection;
    },
    message: (_connection, bytes) => validator.push(bytes),
    error: (_connection, error) => arrived.reject(error),
    close: () => arrived.resolve(validator.end()),
  });
  return {
    port: server.address.port,
    arrived: arrived.promise,
    close() {
      open?.abort();
      return server.close();
    },
  };
}
