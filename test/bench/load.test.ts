/**
 * The load generators of the echo benchmark, in C and in JavaScript, are only worth their
 * figures if they see every wrong byte: here they run against servers that do wrong in one way
 * each.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { resolve } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CompileError, compile, loadSource } from '../../bench/echo/compile.mjs';

type Answer = (chunk: Buffer, socket: Socket, index: number) => void;

interface Outcome {
  readonly exit: number | null;
  readonly result: Record<string, number | string>;
  readonly errors: string;
}

function findLoad(): string[] | undefined {
  try {
    return [compile(loadSource)];
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    console.log(`not tested here: ${error.message}`);
    return undefined;
  }
}

const GENERATORS = {
  c: findLoad(),
  javascript: [process.execPath, resolve('bench/echo/load.mjs')],
} as const;
type Generator = keyof typeof GENERATORS;

/** The same for each generator that there is here. */
function testLoad(name: string, run: (generator: Generator) => Promise<void>): void {
  for (const generator of Object.keys(GENERATORS) as Generator[]) {
    const known = GENERATORS[generator] === undefined ? test.skip : test;
    known(`${name} (${generator})`, () => run(generator));
  }
}

function runLoad(generator: Generator, args: readonly string[]): Promise<Outcome> {
  const [program, ...first] = GENERATORS[generator] as [string, ...string[]];
  const child = spawn(program, [...first, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
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
  generator: Generator,
  answer: Answer,
  {
    connections = 2,
    inFlight = 4,
    size = 64,
    seconds = 0.15,
    timeoutSeconds = 20,
    options = [] as string[],
  } = {},
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
  const times = [String(seconds), '--warmup', '0.02', '--timeout', String(timeoutSeconds)];
  const counts = [connections, inFlight, size].map(String);
  try {
    return await runLoad(generator, ['127.0.0.1', String(port), ...counts, ...times, ...options]);
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

/** For servers that do wrong: the run ends with the first wrong byte, however late that comes. */
const UNTIL_CAUGHT = { seconds: 30 };
/** For servers that fall silent: what a machine stands still for is shorter. */
const SILENT = { timeoutSeconds: 1 };

/** Bytes of two frames. */
const TWO_FRAMES_BYTES = 140_000;
const frameDigests = new Set<string>();

function assertCaught(outcome: Outcome, message: RegExp): void {
  assert.is(outcome.exit, 1, JSON.stringify(outcome));
  assert.match(String(outcome.result.error), message, JSON.stringify(outcome));
}

testLoad('an honest echo passes, and its figures are there', async (generator) => {
  const { exit, result } = await against(generator, (chunk, socket) => socket.write(chunk));
  assert.is(exit, 0, String(result.error));
  assert.ok(Number(result.messages) > 0);
  assert.ok(Number(result.allMessages) > Number(result.messages));
  assert.ok(Number(result.p50Us) > 0);
  assert.ok(Number(result.p50Us) <= Number(result.p99Us));
  assert.ok(Number(result.p99Us) <= Number(result.p999Us));
  assert.is(result.endedByServer, 2);
});

testLoad('an echo cut into single bytes passes', async (generator) => {
  const { exit, result } = await against(
    generator,
    (chunk, socket) => {
      for (const byte of chunk) socket.write(Buffer.of(byte));
    },
    { connections: 1, inFlight: 3, size: 20 },
  );
  assert.is(exit, 0, String(result.error));
});

testLoad('each bit of one changed byte is caught, in header and payload', async (generator) => {
  for (const [position, bit] of [
    [0, 1],
    [1, 128],
    [2, 1],
    [9, 4],
    [10, 1],
    [63, 128],
  ] as const) {
    const outcome = await against(
      generator,
      changedOnce(200, (chunk) => {
        const copy = Buffer.from(chunk);
        copy[position] ^= bit;
        return copy;
      }),
      // One in flight: a chunk begins with a frame.
      { inFlight: 1, ...UNTIL_CAUGHT },
    );
    assertCaught(outcome, new RegExp(`^connection 1: message \\d+: byte ${position} is`));
  }
});

testLoad('a dropped byte is caught', async (generator) => {
  assertCaught(
    await against(
      generator,
      changedOnce(500, (chunk) => chunk.subarray(1)),
      UNTIL_CAUGHT,
    ),
    /byte \d+ is/,
  );
});

testLoad('a dropped last byte is caught', async (generator) => {
  const dropped = changedOnce(100, (chunk) => chunk.subarray(0, -1));
  // The other connection goes on meanwhile.
  const options = { inFlight: 1, seconds: 0.5, ...SILENT };
  assertCaught(await against(generator, dropped, options), /^no reply for 1 s/);
});

testLoad('a repeated frame is caught', async (generator) => {
  const repeated = changedOnce(500, (chunk) => Buffer.concat([chunk, chunk.subarray(0, 64)]));
  const options = { inFlight: 1, ...UNTIL_CAUGHT };
  assertCaught(await against(generator, repeated, options), /nobody asked for|byte \d+ is/);
});

testLoad('two frames in the wrong order are caught', async (generator) => {
  const swapped = changedOnce(500, (chunk) =>
    chunk.length < 128
      ? Buffer.from(chunk).reverse()
      : Buffer.concat([chunk.subarray(64, 128), chunk.subarray(0, 64), chunk.subarray(128)]),
  );
  assertCaught(await against(generator, swapped, UNTIL_CAUGHT), /byte \d+ is/);
});

testLoad("another connection's reply is caught", async (generator) => {
  const sockets: Socket[] = [];
  const crossed: Answer = (chunk, socket, index) => {
    sockets[index] = socket;
    (sockets[1 - index] ?? socket).write(chunk);
  };
  const outcome = await against(generator, crossed, UNTIL_CAUGHT);
  assertCaught(outcome, /byte \d+ is|nobody asked for/);
});

testLoad('a byte after the last reply is caught', async (generator) => {
  const greeted = new Set<Socket>();
  const outcome = await against(generator, (chunk, socket) => {
    if (!greeted.has(socket)) socket.prependListener('end', () => socket.write('!'));
    greeted.add(socket);
    socket.write(chunk);
  });
  assertCaught(outcome, /1 bytes that nobody asked for/);
});

testLoad(
  'a server that answers nothing ends with an error by its time limit',
  async (generator) => {
    const outcome = await against(generator, () => {}, SILENT);
    assertCaught(outcome, /^no reply for 1 s, 8 messages outstanding/);
  },
);

testLoad(
  'one connection left without an answer is caught although others go on',
  async (generator) => {
    let frames = 0;
    const outcome = await against(
      generator,
      (chunk, socket, index) => {
        if (index === 1 && ++frames > 3) return;
        socket.write(chunk);
      },
      { inFlight: 1, seconds: 0.5, ...SILENT },
    );
    assertCaught(outcome, /^no reply for 1 s, 1 messages outstanding/);
  },
);

testLoad('a server that closes or resets a connection is caught', async (generator) => {
  const closed = await against(generator, (chunk, socket) => socket.end(chunk));
  assertCaught(closed, /the server closed it|reset|Broken pipe/);
  const reset = await against(generator, (_chunk, socket) => socket.resetAndDestroy());
  assertCaught(reset, /reset/);
});

testLoad('no server at all is an error', async (generator) => {
  const args = ['127.0.0.1', '1', '1', '1', '64', '0.1'];
  assertCaught(await runLoad(generator, args), /^connect: /);
});

testLoad('headers are as the framing says', async (generator) => {
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
      generator,
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

testLoad('wrong arguments end with 2 and a word', async (generator) => {
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
    ['127.0.0.1', '1', 'two', '1', '64', '0.1'],
  ]) {
    const { exit, errors } = await runLoad(generator, args);
    assert.is(exit, 2, args.join(' '));
    assert.match(errors, /^load: /);
  }
});

testLoad(
  'of many connections those that are active send, and the others stay open',
  async (generator) => {
    const chunks = new Map<number, number>();
    const { exit, result } = await against(
      generator,
      (chunk, socket, index) => {
        chunks.set(index, (chunks.get(index) ?? 0) + 1);
        socket.write(chunk);
      },
      { connections: 150, inFlight: 1, options: ['--active', '3'] },
    );
    assert.is(exit, 0, String(result.error));
    assert.is(result.activeConnections, 3);
    assert.is(result.endedByServer, 150);
    // The 128th shows by a message that the first are all served.
    assert.equal(
      [...chunks.keys()].sort((a, b) => a - b),
      [49, 99, 127, 149],
    );
  },
);

testLoad(
  'what a server does wrong while connections are opened is caught too',
  async (generator) => {
    const options = { connections: 130, inFlight: 1, ...SILENT };
    const silent = await against(generator, () => {}, options);
    assertCaught(silent, /^connection 127: no reply to its first message|^no reply for 1 s/);
    const wrong = await against(generator, (chunk, socket) => socket.write(chunk.fill(7)), {
      connections: 130,
    });
    assertCaught(wrong, /^connection 127: message 0: byte 0 is 7 instead of 64/);
  },
);

testLoad("a server's CPU time and memory are taken", async (generator) => {
  const options = ['--pid', String(process.pid)];
  // The system counts CPU time in steps of 10 ms.
  const seconds = 1;
  const { exit, result } = await against(generator, (chunk, socket) => socket.write(chunk), {
    seconds,
    options,
  });
  assert.is(exit, 0, String(result.error));
  if (process.platform !== 'linux') return;
  assert.ok(Number(result.serverCpuNsPerMessage) > 0);
  assert.ok(Number(result.serverResidentBytes) > 2 ** 20);
});

testLoad('both generators make the same frames', async (generator) => {
  const seen: Buffer[] = [];
  const { exit } = await against(
    generator,
    (chunk, socket, index) => {
      if (index === 0 && Buffer.concat(seen).length < TWO_FRAMES_BYTES)
        seen.push(Buffer.from(chunk));
      socket.write(chunk);
    },
    { size: 70_000, inFlight: 2, options: ['--framing', 'u32le-inclusive'] },
  );
  assert.is(exit, 0);
  const digest = createHash('sha256')
    .update(Buffer.concat(seen).subarray(0, TWO_FRAMES_BYTES))
    .digest('hex');
  frameDigests.add(digest);
  assert.is(frameDigests.size, 1);
});

test.run();
