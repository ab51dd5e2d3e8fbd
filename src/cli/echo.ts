/** `overlapped echo`: the large-packet echo server (R10), with the settings of R9. */
import { checkFraming } from '../framing.ts';
import { type Framing, type Handlers, listen, parseFraming, type Server } from '../index.ts';
import { command } from './command.ts';
import { awaitEnding, describeCarrier, type Ending } from './ending.ts';
import { BACKENDS, framingOption } from './harness.ts';
import { choice, flag, integer, type Option, onOff, text } from './options.ts';
import { EXIT_OK, notSupported } from './outcome.ts';
import { count, paint, size, table } from './terminal.ts';

const lockOption: Option<string> = {
  placeholder: 'socket|stripes:N|all',
  help: 'sockets that share a lock (threads)',
  fallback: 'socket',
  allowed: 'socket, stripes:N with N from 1, all',
  parse: (value) => (/^(?:socket|all|stripes:[1-9]\d{0,5})$/.test(value) ? value : undefined),
};

/** What the default sizes of a port make. */
const RECEIVE_BYTES = 2 ** 26;
const RECEIVE_BUFFERS_LEAST = 64;
const RECEIVE_BUFFERS_MOST = 16_384;

const options = {
  backend: choice(BACKENDS, 'what does the I/O', 'auto'),
  host: text('ADDRESS', 'address to listen on', '127.0.0.1'),
  port: integer('TCP port; 0: the system chooses', 0, 0, 65_535),
  path: text('PATH', 'a Unix socket or named pipe instead of host and port'),
  framing: framingOption,
  reads: integer('receives kept pending on a connection, as far as the backend can', 20, 1, 1024),
  'buffer-size': integer('bytes of a receive buffer', 1024, 64, 2 ** 24),
  'max-message': integer('bytes of the largest frame on the wire', 65_536, 1, 2 ** 30),
  workers: integer('I/O worker threads', 0, 0, 256),
  scheduling: choice(['pinned', 'shared'], 'how connections and workers go together', 'pinned'),
  pool: integer('threads of the pool that handles messages', 0, 0, 256),
  fragments: integer('writes that an echo is sent in', 1, 1, 65_536),
  'read-order': onOff('put receives in order by their numbers', true),
  'write-order': onOff('put sends in order by their numbers', true),
  'pool-order': onOff('put messages in order again behind the pool', true),
  'eager-read': onOff('issue a receive before the current one has been processed', true),
  lock: lockOption,
  event: text('NAME', 'ends when NAME is signaled (overlapped shutdown --event NAME)'),
  'with-parent': flag('ends when the standard input ends', true),
} as const;

/** What the server saw, as `--json` prints it. */
interface Statistics {
  /** What ended the server. */
  readonly ended: string;
  /** What carried its event, if it has one. */
  readonly event: Ending['carrier'];
  readonly connections: number;
  readonly messages: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** How connections failed, by the code of the error. */
  readonly errors: Readonly<Record<string, number>>;
  readonly backend: { readonly name: string; readonly reason: string };
}

export const echo = command({
  name: 'echo',
  summary: 'The large-packet echo server: sends every message back.',
  notes: 'Ends in order, with its statistics, on SIGINT, SIGTERM and its event.',
  options,
  async run(values) {
    refuse(values.workers > 0, '--workers above 0', 'I/O workers');
    refuse(values.scheduling === 'shared', '--scheduling shared', 'I/O workers');
    refuse(values.pool > 0, '--pool above 0', 'the thread pool');
    refuse(!values['pool-order'], '--pool-order off', 'the thread pool');
    refuse(values.lock !== 'socket', `--lock ${values.lock}`, 'several threads on one socket');

    const errors: Record<string, number> = {};
    const sums = { connections: 0, messages: 0, bytesReceived: 0, bytesSent: 0 };
    const framing = limited(parseFraming(values.framing), values['max-message']);
    const ending = await awaitEnding({
      event: values.event,
      withParent: values['with-parent'],
    });
    let server: Server;
    try {
      server = await listen({
        ...(values.path === '' ? { host: values.host, port: values.port } : { path: values.path }),
        backend: values.backend,
        framing: values.fragments > 1 ? wholeFrames(framing) : framing,
        receiveDepth: values.reads,
        receiveBufferBytes: values['buffer-size'],
        receiveBuffers: receiveBuffers(values['buffer-size']),
        readOrder: values['read-order'],
        writeOrder: values['write-order'],
        eagerRead: values['eager-read'],
        ...(values.fragments > 1 ? echoInParts(values.fragments) : echoWhole),
        error(_connection, error) {
          errors[error.code] = (errors[error.code] ?? 0) + 1;
        },
        close(connection) {
          const { messagesReceived, bytesReceived, bytesSent } = connection.statistics();
          sums.connections++;
          sums.messages += messagesReceived;
          sums.bytesReceived += bytesReceived;
          sums.bytesSent += bytesSent;
        },
      });
    } catch (error) {
      await ending.close();
      throw error;
    }
    console.log(`listening on ${values.path || placeOf(server)}`);
    const { carrier } = ending;
    if (carrier?.fallback !== undefined) {
      console.log(`event ${values.event} by a ${describeCarrier(carrier)}`);
    }
    const ended = await ending.cause;
    await server.close();
    await ending.close();
    const { name, reason } = server.backend;
    const statistics: Statistics = {
      ended,
      event: carrier,
      ...sums,
      errors,
      backend: { name, reason },
    };
    console.log(values.json ? JSON.stringify(statistics) : describe(statistics));
    return EXIT_OK;
  },
});

function refuse(wanted: boolean, what: string, needs: string): void {
  if (wanted) throw notSupported(`${what} needs ${needs}, which this version does not have`);
}

/** Small buffers are lent by the dozen: there are as many bytes of them as of large ones, within reason. */
function receiveBuffers(bytes: number): number {
  const count = Math.floor(RECEIVE_BYTES / bytes);
  return Math.min(Math.max(count, RECEIVE_BUFFERS_LEAST), RECEIVE_BUFFERS_MOST);
}

function limited(framing: Framing, maxFrameBytes: number): Framing {
  return framing.kind === 'raw' || framing.kind === 'fixed'
    ? framing
    : checkFraming({ ...framing, maxFrameBytes: Math.min(framing.maxFrameBytes, maxFrameBytes) });
}

/** The same framing, whose messages are the frames as they are on the wire. */
function wholeFrames(framing: Framing): Framing {
  switch (framing.kind) {
    case 'lengthField':
      return checkFraming({ ...framing, strip: 0 });
    case 'varint':
      return checkFraming({ ...framing, keepHeader: true });
    case 'line':
    case 'delimiter':
      return checkFraming({ ...framing, stripDelimiter: false });
    default:
      return framing;
  }
}

// A peer that does not read its echoes is not read from: the port holds it by itself.

const echoWhole: Handlers = {
  messages(batch) {
    for (let i = 0; i < batch.length; i++) batch.echo(i);
  },
};

function echoInParts(parts: number): Handlers {
  return {
    message(connection, frame) {
      const partBytes = Math.max(1, Math.ceil(frame.length / parts));
      for (let at = 0; at < frame.length; at += partBytes) {
        connection.sendRaw(frame.subarray(at, at + partBytes));
      }
    },
  };
}

function placeOf({ address: { address, port, family } }: Server): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

function describe(statistics: Statistics): string {
  const errors = Object.entries(statistics.errors).map(([code, times]) => `${code} × ${times}`);
  const { backend } = statistics;
  return table([
    ['ended by', statistics.ended],
    ['connections', count(statistics.connections)],
    ['messages', count(statistics.messages)],
    ['received', size(statistics.bytesReceived)],
    ['sent', size(statistics.bytesSent)],
    ['errors', errors.length === 0 ? 'none' : paint(errors.join(', '), 'red')],
    ['backend', `${backend.name}: ${backend.reason}`],
  ]);
}
