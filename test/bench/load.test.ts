/**
 * The load generator of the echo benchmark is only worth its figures if it sees every wrong
 * byte: here it runs against servers that do wrong in one way each.
 */
import { spawn } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CompileError, compile } from '../../bench/echo/compile.mjs';

type Answer = (chunk: Buffer, socket: Socket, index: number) => void;

interface Outcome {
  readonly exit: number | null;
  readonly result: Record<string, number | string>;
  readonly errors: string;
}

function findLoad(): string | undefined {
  try {
    return compile(pathToFileURL(resolve('bench/echo/load.c')));
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    console.log(`not tested here: ${error.message}`);
    return undefined;
  }
}

const load = findLoad();
const testLoad = load === undefined ? test.skip : test;

function runLoad(args: readonly string[]): Promise<Outcome> {
  const child = spawn(load as string, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  child.stderr.on('data', (text) => {
    errors += text;
  });
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (exit) => done({ exit, result: JSON.parse(output || '{}'), errors }));
  });
}

/** Runs the generator against a server that answers by `answer`, and closes all. */
async function against(
  answer: Answer,
  { connections = 2, inFlight = 4, size = 64, options = [] as string[] } = {},
): Promise<Outcome> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    const index = sockets.push(socket) - 1;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => answer(chunk, socket, index));
    socket.on('error', () => {});
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as { port: number };
  const times = ['0.15', '--warmup', '0.02', '--timeout', '0.4'];
  const counts = [connections, inFlight, size].map(String);
  try {
    return await runLoad(['127.0.0.1', String(port), ...counts, ...times, ...options]);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  }
}

/** Echoes, but hands the bytes once to `change`, when `after` bytes have come on connection 1. */
function changedOnce(after: number, change: (chunk: Buffer) => Buffer): Answer {
  let bytes = 0;
  let changed = false;
  return (chunk, socket, index) => {
    if (index === 1) bytes += chunk.length;
    const now = !changed && bytes > after;
    changed ||= now;
    socket.write(now ? change(chunk) : chunk);
  };
}

function assertCaught(outcome: Outcome, message: RegExp): void {
  assert.is(outcome.exit, 1, JSON.stringify(outcome));
  assert.match(String(outcome.result.error), message);
}

testLoad('an honest echo passes, and its figures are there', async () => {
  const { exit, result } = await against((chunk, socket) => socket.write(chunk));
  assert.is(exit, 0, String(result.error));
  assert.ok(Number(result.messages) > 0);
  assert.ok(Number(result.allMessages) > Number(result.messages));
  assert.ok(Number(result.p50Us) > 0);
  assert.ok(Number(result.p50Us) <= Number(result.p99Us));
  assert.ok(Number(result.p99Us) <= Number(result.p999Us));
  assert.is(result.endedByServer, 2);
});

testLoad('an echo cut into single bytes passes', async () => {
  const { exit, result } = await against(
    (chunk, socket) => {
      for (const byte of chunk) socket.write(Buffer.of(byte));
    },
    { connections: 1, inFlight: 3, size: 20 },
  );
  assert.is(exit, 0, String(result.error));
});

testLoad('each bit of one changed byte is caught, in header and payload', async () => {
  for (const [position, bit] of [
    [0, 1],
    [1, 128],
    [2, 1],
    [9, 4],
    [10, 1],
    [63, 128],
  ] as const) {
    const outcome = await against(
      changedOnce(200, (chunk) => {
        const copy = Buffer.from(chunk);
        copy[position] ^= bit;
        return copy;
      }),
      // One in flight: a chunk begins with a frame.
      { inFlight: 1 },
    );
    assertCaught(outcome, new RegExp(`^connection 1: message \\d+: byte ${position} is`));
  }
});

testLoad('a dropped byte is caught', async () => {
  assertCaught(await against(changedOnce(500, (chunk) => chunk.subarray(1))), /byte \d+ is/);
});

testLoad('a dropped last byte is caught', async () => {
  const dropped = changedOnce(500, (chunk) => chunk.subarray(0, -1));
  assertCaught(await against(dropped, { inFlight: 1 }), /^no reply for 0.4 s/);
});

testLoad('a repeated frame is caught', async () => {
  const repeated = changedOnce(500, (chunk) => Buffer.concat([chunk, chunk.subarray(0, 64)]));
  assertCaught(await against(repeated, { inFlight: 1 }), /nobody asked for|byte \d+ is/);
});

testLoad('two frames in the wrong order are caught', async () => {
  const swapped = changedOnce(500, (chunk) =>
    chunk.length < 128
      ? Buffer.from(chunk).reverse()
      : Buffer.concat([chunk.subarray(64, 128), chunk.subarray(0, 64), chunk.subarray(128)]),
  );
  assertCaught(await against(swapped), /byte \d+ is/);
});

testLoad("another connection's reply is caught", async () => {
  const sockets: Socket[] = [];
  const outcome = await against((chunk, socket, index) => {
    sockets[index] = socket;
    (sockets[1 - index] ?? socket).write(chunk);
  });
  assertCaught(outcome, /byte \d+ is|nobody asked for/);
});

testLoad('a byte after the last reply is caught', async () => {
  const greeted = new Set<Socket>();
  const outcome = await against((chunk, socket) => {
    if (!greeted.has(socket)) socket.prependListener('end', () => socket.write('!'));
    greeted.add(socket);
    socket.write(chunk);
  });
  assertCaught(outcome, /1 bytes that nobody asked for/);
});

testLoad('a server that answers nothing ends with an error by its time limit', async () => {
  assertCaught(await against(() => {}), /^no reply for 0.4 s, 8 messages outstanding/);
});

testLoad('one connection left without an answer is caught although others go on', async () => {
  let frames = 0;
  const outcome = await against(
    (chunk, socket, index) => {
      if (index === 1 && ++frames > 10) return;
      socket.write(chunk);
    },
    { inFlight: 1 },
  );
  assertCaught(outcome, /^no reply for 0.4 s, 1 messages outstanding/);
});

testLoad('a server that closes or resets a connection is caught', async () => {
  const closed = await against((chunk, socket) => socket.end(chunk));
  assertCaught(closed, /the server closed it|reset|Broken pipe/);
  const reset = await against((_chunk, socket) => socket.resetAndDestroy());
  assertCaught(reset, /reset/);
});

testLoad('no server at all is an error', async () => {
  const args = ['127.0.0.1', '1', '1', '1', '64', '0.1'];
  assertCaught(await runLoad(args), /^connect: /);
});

testLoad('headers are as the framing says', async () => {
  const headers: Record<string, number[]> = {
    'u16le-inclusive': [40, 0],
    u8: [39],
    u16le: [38, 0],
    u16be: [0, 38],
    'u24be-inclusive': [0, 0, 40],
    u32le: [36, 0, 0, 0],
    'u32be-inclusive': [0, 0, 0, 40],
    raw: [],
  };
  for (const [framing, header] of Object.entries(headers)) {
    let first: number[] | undefined;
    const { exit, result } = await against(
      (chunk, socket) => {
        first ??= [...chunk.subarray(0, header.length)];
        socket.write(chunk);
      },
      { size: 40, options: ['--framing', framing] },
    );
    assert.is(exit, 0, `${framing}: ${result.error}`);
    assert.equal(first, header, framing);
    assert.is(result.framing, framing);
  }
});

testLoad('wrong arguments end with 2 and a word', async () => {
  const good = ['127.0.0.1', '1', '1', '1', '64', '0.1'];
  for (const args of [
    [],
    ['localhost', ...good.slice(1)],
    [...good.slice(0, 4), '9', '0.1'],
    [...good.slice(0, 4), '300', '0.1', '--framing', 'u8'],
    [...good, '--framing', 'u16'],
    [...good, '--framing', 'u16le-exclusive'],
    [...good, '--warmup'],
    [...good, '--nothing', '1'],
    [...good, ...new Array(9).fill(['--pid', '1']).flat()],
    ['127.0.0.1', '1', 'two', '1', '64', '0.1'],
  ]) {
    const { exit, errors } = await runLoad(args);
    assert.is(exit, 2, args.join(' '));
    assert.match(errors, /^load: /);
  }
});

test.run();
