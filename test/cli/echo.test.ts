/** The echo server and the harness as two processes: settings, framings, endings. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  assertHeld,
  type EchoServer,
  findHost,
  HOST_NAMES,
  type HostName,
  runCli,
  runHarness,
  startCli,
  startEcho,
} from './run-cli.ts';

const MESSAGES = 400;
const CONNECTIONS = 4;
const LOAD = ['--messages', String(MESSAGES), '--connections', String(CONNECTIONS)];

async function stop(server: EchoServer): Promise<Record<string, unknown>> {
  server.child.kill('SIGTERM');
  const { exit, json, stderr } = await server.ended;
  assert.is(stderr, '');
  assert.is(exit, 0);
  return json as Record<string, unknown>;
}

/** Loads a server with these settings from a harness with those, and ends it. */
async function roundTrip(
  echo: readonly string[],
  harness: readonly string[] = [],
  hosts: readonly [HostName, HostName] = ['node', 'node'],
): Promise<void> {
  const server = await startEcho(echo, hosts[0]);
  assertHeld(await runHarness(server.port, [...LOAD, ...harness], hosts[1]), MESSAGES);
  const statistics = await stop(server);
  assert.is(statistics.ended, 'SIGTERM');
  assert.is(statistics.connections, CONNECTIONS);
  assert.is(statistics.messages, MESSAGES);
  assert.equal(statistics.errors, {});
  assert.is(statistics.bytesReceived, statistics.bytesSent);
}

const SETTINGS: readonly (readonly string[])[] = [
  [],
  ['--fragments', '5'],
  ['--fragments', '65536', '--reads', '1'],
  ['--reads', '1', '--eager-read', 'off', '--read-order', 'off'],
  ['--read-order', 'off', '--write-order', 'off'],
  ['--buffer-size', '64'],
  ['--buffer-size', '65536', '--eager-read', 'off'],
];
for (const settings of SETTINGS) {
  test(`round trip: ${settings.join(' ') || 'defaults'}`, () =>
    roundTrip(settings, settings.includes('65536') ? ['--size', '10-3000'] : []));
}

for (const framing of ['u8', 'u16be', 'u24be,inclusive', 'u32le', 'u64be', 'varint', 'line']) {
  for (const fragments of ['1', '3']) {
    test(`round trip: ${framing}, ${fragments} writes`, () =>
      roundTrip(['--framing', framing, '--fragments', fragments], ['--framing', framing]));
  }
}

for (const host of HOST_NAMES.filter((name) => name !== 'node')) {
  if ((await findHost(host)) === undefined) continue;
  test(`round trip: server in ${host}`, () => roundTrip([], [], [host, 'node']));
  test(`round trip: harness in ${host}`, () => roundTrip([], [], ['node', host]));
}

test('over a Unix socket', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-echo-'));
  const path = join(folder, 'echo.sock');
  const server = await startCli(['echo', '--json', '--path', path]);
  await server.output(/^listening on .*echo\.sock$/m);
  assertHeld(await runCli(['harness', '--json', '--path', path, ...LOAD]), MESSAGES);
  server.child.kill('SIGTERM');
  assert.is((await server.ended).json?.messages, MESSAGES);
  await rm(folder, { recursive: true });
});

test('messages above --max-message end their connection with an error', async () => {
  const server = await startEcho(['--max-message', '1000']);
  const { exit, json } = await runHarness(server.port, [...LOAD, '--size', '1001']);
  assert.is(exit, 1);
  assert.ok((json?.lost as number) > 0);
  assertHeld(await runHarness(server.port, [...LOAD, '--size', '1000']), MESSAGES);
  const statistics = await stop(server);
  assert.equal(statistics.errors, { FRAME_TOO_LONG: CONNECTIONS });
});

for (const fragments of ['1', '4']) {
  test(`a peer that does not read its echoes is not read from (${fragments} writes)`, async () => {
    const server = await startEcho(['--fragments', fragments]);
    const socket = createConnection(Number(server.port), '127.0.0.1');
    const frame = Buffer.alloc(60_000, 1);
    frame.writeUInt16LE(frame.length);
    const most = 2_000;
    let taken = 0;
    for (let isTaken = true; isTaken && taken < most; taken += Number(isTaken)) {
      isTaken = await new Promise((resolve) => {
        const late = setTimeout(() => resolve(false), 1_500);
        socket.write(frame, () => {
          clearTimeout(late);
          resolve(true);
        });
      });
    }
    // Less than would fill the server's queue: it is not the limit that stopped it.
    assert.ok(taken * frame.length < 16 * 2 ** 20, `the server took ${taken} frames`);
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
    while (received < (taken + 1) * frame.length) await sleep(20);
    socket.end();
    await new Promise((resolve) => socket.on('close', resolve));
    const statistics = await stop(server);
    assert.equal(statistics.errors, {});
    assert.is(statistics.messages, taken + 1);
  });
}

test('resets are counted', async () => {
  const server = await startEcho();
  const socket = createConnection(Number(server.port), '127.0.0.1');
  await new Promise<void>((resolve) => socket.write('\u0004\u0000ab', () => resolve()));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.resetAndDestroy();
  assertHeld(await runHarness(server.port, LOAD), MESSAGES);
  const statistics = await stop(server);
  assert.equal(statistics.errors, { RESET: 1 });
  assert.is(statistics.messages, MESSAGES + 1);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends it in order, with its statistics, while it is busy`, async () => {
    const server = await startCli(['echo']);
    const [, port] = await server.output(/^listening on 127\.0\.0\.1:(\d+)$/m);
    const argv = ['harness', '--port', port as string, '--messages', '100000000'];
    const load = await startCli([...argv, '--timeout', '2000']);
    await load.errorOutput(/ [1-9][\d,]* of 100,000,000 replies/);
    server.child.kill(signal);
    const { exit, stdout, stderr } = await server.ended;
    assert.is(stderr, '');
    assert.is(exit, 0);
    assert.match(
      stdout,
      new RegExp(`ended by +${signal}\n +connections +20\n +messages +[\\d,]+\n`),
    );
    assert.match(stdout, /backend +\w+: /);
    assert.is((await load.ended).exit, 1);
  });
}

test('the named event ends it', async () => {
  const event = `echo-test-${process.pid}`;
  const server = await startEcho(['--event', event]);
  const second = await runCli(['echo', '--event', event]);
  assert.match(second.stderr, /ADDRESS_IN_USE: another process listens to the event/);
  assert.is(second.exit, 1);
  assertHeld(await runHarness(server.port, LOAD), MESSAGES);
  const shutdown = await runCli(['shutdown', '--event', event, '--json']);
  assert.equal(shutdown.json, { event, signaled: true, kind: 'Unix socket' });
  assert.is(shutdown.exit, 0);
  const { exit, json } = await server.ended;
  assert.is(exit, 0);
  assert.is(json?.ended, `event ${event}`);
  assert.equal(json?.event, { kind: 'Unix socket' });
  assert.is(json?.messages, MESSAGES);
  assert.is((await runCli(['shutdown', '--event', event])).exit, 1);
});

test('a port in use: exit 1', async () => {
  const server = await startEcho();
  const { exit, stderr } = await runCli(['echo', '--port', server.port]);
  assert.match(stderr, /^overlapped: ADDRESS_IN_USE: [^\n]+\n$/);
  assert.is(exit, 1);
  await stop(server);
});

test.run();
