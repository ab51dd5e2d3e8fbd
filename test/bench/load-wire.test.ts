/**
 * The load generator speaks WebSocket and ZMTP so that it can load `ws` and `zeromq` servers:
 * here against servers that do right, by another implementation of both, and wrong in one way.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CompileError, compile, loadSource } from '../../bench/echo/compile.mjs';

interface Outcome {
  readonly exit: number | null;
  readonly result: Record<string, number | string>;
}

function findLoad(): string | undefined {
  try {
    return compile(loadSource);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    console.log(`not tested here: ${error.message}`);
    return undefined;
  }
}

const load = findLoad();
const testLoad = load === undefined ? test.skip : test;

/** Runs the generator against a server that handles a connection by `serve`. */
async function against(
  serve: (socket: Socket) => void,
  framing: 'ws' | 'zmtp',
  { size = 64, connections = 2, inFlight = 3, seconds = 0.1, timeoutSeconds = 20 } = {},
): Promise<Outcome> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.setNoDelay(true).on('error', () => {}));
    serve(socket);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as { port: number };
  const counts = [port, connections, inFlight, size, seconds].map(String);
  const times = ['--warmup', '0.02', '--timeout', String(timeoutSeconds), '--framing', framing];
  const child = spawn(load as string, ['127.0.0.1', ...counts, ...times], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  const exit = await new Promise<number | null>((done) => child.once('close', done));
  for (const socket of sockets) socket.destroy();
  await new Promise((closed) => server.close(closed));
  return { exit, result: JSON.parse(output || '{}') };
}

/** Calls `take` with all that has come; it returns how much of it is used up. */
function collect(socket: Socket, take: (bytes: Buffer) => number): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const used = take(rest);
      if (used === 0) return;
      rest = rest.subarray(used);
    }
  });
}

type Change = (bytes: Buffer) => Buffer;
const unchanged: Change = (bytes) => bytes;

/** Applies `change` to one reply, the fourth. */
function once(change: Change): Change {
  let replies = 0;
  return (bytes) => (++replies === 4 ? change(bytes) : bytes);
}

const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const BINARY = 0x82;

/** Length of a payload and where its mask begins, of a client's frame (RFC 6455, section 5.2). */
function websocketHeader(bytes: Buffer): { length: number; at: number } | undefined {
  if (bytes.length < 14) return undefined;
  assert.is(bytes[0], BINARY);
  const short = Number(bytes[1]) - 0x80;
  assert.ok(short >= 0, 'a client masks');
  if (short < 126) return { length: short, at: 2 };
  return short === 126
    ? { length: bytes.readUInt16BE(2), at: 4 }
    : { length: Number(bytes.readBigUInt64BE(2)), at: 10 };
}

/** A WebSocket echo server; `masks` collects what the payloads were masked with. */
function websocket(change: Change = unchanged, masks = new Set<number>(), sign = unchanged) {
  return (socket: Socket): void => {
    let isOpen = false;
    collect(socket, (bytes) => {
      if (!isOpen) {
        const end = bytes.indexOf('\r\n\r\n') + 4;
        if (end < 4) return 0;
        const key = /^Sec-WebSocket-Key: (.+)\r$/m.exec(bytes.toString('latin1'))?.[1];
        const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
        const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket'];
        lines.push('Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`, '', '');
        socket.write(sign(Buffer.from(lines.join('\r\n'))));
        isOpen = true;
        return end;
      }
      const header = websocketHeader(bytes);
      if (header === undefined || bytes.length < header.at + 4 + header.length) return 0;
      const { at, length } = header;
      const mask = bytes.subarray(at, at + 4);
      masks.add(mask.readUInt32BE());
      const reply = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 4, at + 4 + length)]);
      reply[1] = Number(reply[1]) - 0x80;
      for (let i = 0; i < length; i++) reply[at + i] = Number(reply[at + i]) ^ Number(mask[i % 4]);
      socket.write(change(reply));
      return at + 4 + length;
    });
  };
}

const GREETING = Buffer.alloc(64);
GREETING.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
GREETING.write('NULL', 12);
const READY = Buffer.from('\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06ROUTER', 'latin1');

const OF_DEALER = READY.toString('latin1').replace('ROUTER', 'DEALER');

/** A ROUTER that sends each message back: a message has the same bytes in both directions. */
function zmtp(change: Change = unchanged, greeting = GREETING, ready = READY) {
  return (socket: Socket): void => {
    const handshake = [64, READY.length];
    socket.write(greeting);
    collect(socket, (bytes) => {
      const due = handshake[0];
      if (due !== undefined) {
        if (bytes.length < due) return 0;
        if (handshake.length === 1) {
          assert.equal(bytes.subarray(0, due).toString('latin1'), OF_DEALER);
          socket.write(ready);
        }
        handshake.shift();
        return due;
      }
      if (bytes.length < 9) return 0;
      const [length, at] =
        bytes[0] === 0 ? [Number(bytes[1]), 2] : [Number(bytes.readBigUInt64BE(1)), 9];
      if (bytes.length < at + length) return 0;
      socket.write(change(Buffer.from(bytes.subarray(0, at + length))));
      return at + length;
    });
  };
}

function assertCaught({ exit, result }: Outcome, message: RegExp): void {
  assert.is(exit, 1, JSON.stringify(result));
  assert.match(String(result.error), message);
}

const flipped =
  (at: number): Change =>
  (bytes) => {
    bytes[at] = Number(bytes[at]) ^ 1;
    return bytes;
  };

/** The run ends with the first wrong byte, however late that comes. */
const UNTIL_CAUGHT = { connections: 1, seconds: 30 };
/** Payloads of 62, 126, 1,022 and 69,998 B: each form of the length in both. */
const SIZES = [64, 128, 1024, 70_000];

testLoad('WebSocket: every form of length, masked, and never with 0', async () => {
  for (const size of SIZES) {
    const masks = new Set<number>();
    const { exit, result } = await against(websocket(unchanged, masks), 'ws', { size });
    assert.is(exit, 0, `${size}: ${result.error}`);
    assert.ok(Number(result.messages) > 0);
    assert.ok(masks.size > 1 && !masks.has(0));
  }
});

testLoad('WebSocket: a changed, a dropped and a missing byte are caught', async () => {
  const run = (change: Change) => against(websocket(once(change)), 'ws', UNTIL_CAUGHT);
  for (const at of [0, 1, 2, 10, 63]) {
    assertCaught(await run(flipped(at)), new RegExp(`^connection 0: message 3: byte ${at} is`));
  }
  assertCaught(await run((bytes) => bytes.subarray(1)), /byte 0 is/);
  const cut = await against(websocket(once((bytes) => bytes.subarray(0, -1))), 'ws', {
    ...{ ...UNTIL_CAUGHT, inFlight: 1, timeoutSeconds: 1 },
  });
  assertCaught(cut, /^no reply for 1 s/);
});

testLoad('WebSocket: an upgrade that is refused, or answers another key, is an error', async () => {
  const refused = (bytes: Buffer) => Buffer.from(bytes.toString().replace('101', '400'));
  assertCaught(await against(websocket(unchanged, new Set(), refused), 'ws'), /refused/);
  const forged = (bytes: Buffer) => Buffer.from(bytes.toString().replace('s3pP', 's3pX'));
  assertCaught(await against(websocket(unchanged, new Set(), forged), 'ws'), /wrong answer/);
  assertCaught(await against((socket) => socket.destroy(), 'ws'), /no answer|reset|upgrade/);
});

testLoad('ZMTP: short and long messages', async () => {
  for (const size of SIZES) {
    const { exit, result } = await against(zmtp(), 'zmtp', { size });
    assert.is(exit, 0, `${size}: ${result.error}`);
    assert.ok(Number(result.messages) > 0);
  }
});

testLoad('ZMTP: a changed and a dropped byte are caught', async () => {
  const run = (change: Change) => against(zmtp(once(change)), 'zmtp', UNTIL_CAUGHT);
  for (const at of [0, 1, 2, 63]) assertCaught(await run(flipped(at)), new RegExp(`byte ${at} is`));
  assertCaught(await run((bytes) => bytes.subarray(1)), /byte \d+ is/);
});

testLoad('ZMTP: what is no greeting and no READY is an error', async () => {
  const other = Buffer.from(GREETING);
  other.write('PLAIN', 12);
  assertCaught(await against(zmtp(unchanged, other), 'zmtp'), /not a greeting/);
  const notReady = Buffer.from(READY);
  notReady.write('ERROR', 3);
  assertCaught(await against(zmtp(unchanged, GREETING, notReady), 'zmtp'), /not a READY/);
});

test.run();
