/** The echo server with worker threads and with the pool, as processes, loaded by the harness (R10 to R12). */
import { Buffer } from 'node:buffer';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  assertHeld,
  findHost,
  HOST_NAMES,
  type HostName,
  type Outcome,
  runCli,
  runHarness,
  startCli,
  startEcho,
} from './run-cli.ts';

const MESSAGES = 1200;
const CONNECTIONS = 6;
const LOAD = ['--messages', String(MESSAGES), '--connections', String(CONNECTIONS)];

type Json = Record<string, unknown>;

interface Sums {
  readonly connections: number;
  readonly messages: number;
}

/** Starts a server with these settings, loads it, ends it; what the harness and the server say. */
async function run(
  echo: readonly string[],
  harness: readonly string[] = [],
  host: HostName = 'node',
): Promise<{ readonly load: Outcome; readonly statistics: Json }> {
  const server = await startEcho(echo, host);
  const load = await runHarness(server.port, [...LOAD, ...harness]);
  server.child.kill('SIGTERM');
  const { exit, json, stderr } = await server.ended;
  assert.is(stderr, '');
  assert.is(exit, 0);
  return { load, statistics: json as Json };
}

const SETTINGS: readonly (readonly string[])[] = [
  ['--workers', '2'],
  ['--workers', '2', '--backend', 'net', '--fragments', '4'],
  ['--workers', '2', '--scheduling', 'shared', '--reads', '20'],
  ['--workers', '2', '--scheduling', 'shared', '--backend', 'net', '--fragments', '3'],
  ['--workers', '3', '--scheduling', 'shared', '--lock', 'stripes:2', '--buffer-size', '256'],
  ['--workers', '3', '--scheduling', 'shared', '--lock', 'all', '--eager-read', 'off'],
  ['--pool', '3'],
  ['--pool', '3', '--fragments', '4'],
  ['--workers', '2', '--pool', '2'],
  ['--workers', '2', '--scheduling', 'shared', '--pool', '2'],
  [
    '--workers',
    '3',
    '--scheduling',
    'shared',
    '--backend',
    'net',
    '--pool',
    '2',
    '--fragments',
    '4',
  ],
];

for (const host of HOST_NAMES) {
  if ((await findHost(host)) === undefined) continue;
  for (const settings of SETTINGS) {
    test(`round trip in ${host}: ${settings.join(' ')}`, async () => {
      const { load, statistics } = await run(settings, [], host);
      assertHeld(load, MESSAGES);
      assert.is(statistics.messages, MESSAGES);
      assert.is(statistics.connections, CONNECTIONS);
      assert.is(statistics.bytesReceived, statistics.bytesSent);
      assert.equal(statistics.errors, {});
      const workers = statistics.workers as readonly Sums[] | undefined;
      const count = settings[0] === '--workers' ? Number(settings[1]) : undefined;
      assert.is(workers?.length, count);
      if (workers === undefined) return;
      assert.is(statistics.deaths, 0);
      assert.is(
        workers.reduce((sum, { messages }) => sum + messages, 0),
        MESSAGES,
      );
    });
  }
}

/** Repeats what is a race until it shows; a race that never shows is a failure. */
async function untilShown(
  echo: readonly string[],
  harness: readonly string[],
  shows: (json: Json) => boolean,
): Promise<Json> {
  let last: Json = {};
  for (let attempt = 0; attempt < 8; attempt++) {
    const { load } = await run(echo, ['--in-flight', '64', ...harness]);
    last = load.json as Json;
    if (shows(last)) return last;
  }
  throw new Error(`it did not show: ${JSON.stringify(last)}`);
}

test('the pool without order, whole echoes: sequence mismatches only', async () => {
  const json = await untilShown(
    ['--pool', '4', '--pool-order', 'off'],
    // More, so that it shows on one processor, too. Nothing is lost: the time limit is never waited for.
    ['--messages', '12000', '--timeout', '20000'],
    ({ sequenceMismatches }) => (sequenceMismatches as number) > 0,
  );
  assert.is(json.contentMismatches, 0);
  assert.is(json.lost, 0);
});

test('the pool without order, echoes in parts: content mismatches, too', async () => {
  await untilShown(
    ['--pool', '4', '--pool-order', 'off', '--fragments', '4'],
    ['--timeout', '2000'],
    ({ contentMismatches }) => (contentMismatches as number) > 0,
  );
});

test('shared workers over a Unix socket; pinned ones cannot', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-workers-'));
  const path = join(folder, 'echo.sock');
  const shared = ['--workers', '2', '--scheduling', 'shared'];
  const server = await startCli(['echo', '--json', '--path', path, ...shared]);
  await server.output(/^listening on .*echo\.sock$/m);
  assertHeld(await runCli(['harness', '--json', '--path', path, ...LOAD]), MESSAGES);
  server.child.kill('SIGTERM');
  assert.is((await server.ended).json?.messages, MESSAGES);
  const { exit, stderr } = await runCli(['echo', '--path', path, '--workers', '2']);
  assert.match(stderr, /NOT_SUPPORTED: .*a path cannot be listened on by several threads/);
  assert.is(exit, 3);
  await rm(folder, { recursive: true });
});

for (const [argv, expected] of [
  [['--scheduling', 'shared'], /--workers above 0/],
  [['--lock', 'all'], /--scheduling shared/],
  [['--workers', '2', '--lock', 'all'], /--scheduling shared/],
  [['--pool-order', 'off'], /--pool above 0/],
] as const) {
  test(`what does not go together: ${argv.join(' ')}`, async () => {
    const { exit, stderr } = await runCli(['echo', ...argv]);
    assert.match(stderr, expected);
    assert.is(exit, 2);
  });
}

test('a pool behind shared workers, without order: nothing but the order changes', async () => {
  const settings = [
    '--workers',
    '3',
    '--scheduling',
    'shared',
    '--pool',
    '3',
    '--pool-order',
    'off',
  ];
  const { load } = await run(settings, ['--in-flight', '64']);
  const { received, contentMismatches, duplicates, lost, errors } = load.json as Json;
  assert.equal(
    { received, contentMismatches, duplicates, lost, errors },
    { received: MESSAGES, contentMismatches: 0, duplicates: 0, lost: 0, errors: {} },
    load.stderr,
  );
});

for (const settings of [
  ['--pool', '2'],
  ['--workers', '3', '--scheduling', 'shared', '--pool', '2'],
]) {
  test(`a client that ends early gets every echo, then the end: ${settings.join(' ')}`, async () => {
    const server = await startEcho([...settings, '--fragments', '3']);
    const packets = Array.from({ length: 500 }, (_, number) => {
      const packet = Buffer.alloc(20 + (number % 50), number);
      packet.writeUInt16LE(packet.length, 0);
      return packet;
    });
    const sent = Buffer.concat(packets);
    const socket = connect({ port: Number(server.port), host: '127.0.0.1', allowHalfOpen: true });
    socket.end(sent);
    const received: Buffer[] = [];
    for await (const bytes of socket) received.push(bytes as Buffer);
    assert.ok(Buffer.concat(received).equals(sent));
    server.child.kill('SIGTERM');
    const { exit, json } = await server.ended;
    assert.equal([exit, json?.messages, json?.errors], [0, packets.length, {}]);
  });
}

test.run();
