/** `overlapped start`: the echo server and its harness, two processes over real sockets. */
import process from 'node:process';
import { parseFraming } from '../index.ts';
import { command } from './command.ts';
import { BACKENDS, describeLoad, framingOption, loadOptions, runLoad } from './harness.ts';
import { choice, integer } from './options.ts';
import { EXIT_FAILED, EXIT_OK } from './outcome.ts';
import { Packets } from './packets.ts';
import { startServer } from './server-process.ts';
import { paint } from './terminal.ts';

const EXIT_BY_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export const start = command({
  name: 'start',
  summary: 'Starts the echo server, loads it with packets of all sizes, and checks every reply.',
  notes: 'Exit 0 only if every message came back once, in order and unchanged.',
  options: {
    framing: framingOption,
    ...loadOptions,
    fragments: integer('writes that an echo is sent in', 1, 1, 65_536),
    backend: choice(BACKENDS, 'backend of both sides', 'auto'),
  },
  async run(values) {
    const { backend, fragments, json } = values;
    const framing = parseFraming(values.framing);
    const packets = new Packets(framing, values.size, values.seed);
    // An exit runs the handler that kills the server; a signal alone would not.
    for (const [signal, code] of Object.entries(EXIT_BY_SIGNAL)) {
      process.once(signal, () => process.exit(code));
    }
    const server = await startServer([
      '--backend',
      backend,
      '--framing',
      values.framing,
      '--fragments',
      String(fragments),
      ...('maxFrameBytes' in framing ? ['--max-message', String(framing.maxFrameBytes)] : []),
    ]);
    try {
      const { host, port } = server;
      if (!json) console.log(`echo server on ${host}:${port}, a process of its own`);
      const load = await runLoad({
        target: { host, port, path: '' },
        framing,
        packets,
        connections: values.connections,
        messages: values.messages,
        inFlight: values['in-flight'],
        backend,
        timeoutMs: values.timeout,
      });
      const { lastLine, exitCode } = await server.end();
      const statistics = parseStatistics(lastLine);
      const held = load.held && exitCode === EXIT_OK && statistics !== undefined;
      if (json) {
        console.log(JSON.stringify({ held, load, server: statistics }));
      } else {
        console.log(describeLoad(load));
        console.log(describeServer(statistics, exitCode));
      }
      return held ? EXIT_OK : EXIT_FAILED;
    } finally {
      server.kill();
    }
  },
});

interface ServerStatistics {
  readonly ended: string;
  readonly backend: { readonly name: string; readonly reason: string };
}

function parseStatistics(line: string): ServerStatistics | undefined {
  try {
    return JSON.parse(line) as ServerStatistics;
  } catch {
    return undefined;
  }
}

function describeServer(statistics: ServerStatistics | undefined, exitCode: number | null): string {
  if (statistics === undefined || exitCode !== EXIT_OK) {
    return paint(`the server did NOT end well (exit ${exitCode})`, 'red');
  }
  const { backend, ended } = statistics;
  return `the server ended in order by its ${ended}; backend ${backend.name}: ${backend.reason}`;
}
