/** Every server of the benchmark that can run here answers every byte, by the load generator's word. */
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  COMPARISONS,
  framingOf,
  obstacle,
  QUICK_SERVERS,
  QUICK_WORKLOADS,
  SERVERS,
  serverOf,
  WORKLOADS,
} from '../../bench/echo/catalogue.ts';
import { findLoad, measure } from '../../bench/echo/measure.ts';
import { parseWorkload } from '../../bench/echo/rounds.mjs';
import { AXES } from '../../bench/growth/axes.ts';
import { info } from '../../src/info.ts';

const { backends } = await info();
const unavailable = Object.fromEntries(
  backends.flatMap(({ name, available, reason }) => (available ? [] : [[name, reason ?? 'no']])),
);
const load = findLoad();
const QUICK = { seconds: 0.05, warmup: 0.02, size: 64 };

for (const name of Object.keys(SERVERS)) {
  const why = obstacle(name, unavailable, load.kind);
  if (why !== undefined) console.log(`not tested here: ${name}: ${why}`);
  // Another system's: no tool would bring it here. Wine's are run by bench/echo/wine.mjs.
  if (serverOf(name).backend === 'iocp' && process.platform !== 'win32') continue;
  const known = why === undefined ? test : test.skip;
  known(`${name} answers small messages, and those above 64 KiB`, async () => {
    for (const workload of ['5x3', '2x2x70000']) {
      const found = await measure(load, name, parseWorkload(workload), QUICK, {});
      assert.ok(found.messages > 0);
    }
  });
}

test('a server of the user is one by its path, and one that drops a byte is caught', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-own-server-'));
  const write = (name: string, answer: string) => {
    const file = join(folder, name);
    writeFileSync(
      file,
      `import { createServer } from 'node:net';
      let chunks = 0;
      const server = createServer((socket) => {
        socket.on('data', (chunk) => socket.write(${answer}));
        socket.on('error', () => {});
      });
      server.listen(0, '127.0.0.1', () => console.log('listening ' + server.address().port));`,
    );
    return file;
  };
  const honest = write('honest.mjs', 'chunk');
  const dropping = write('dropping.mjs', '++chunks === 9 ? chunk.subarray(1) : chunk');
  try {
    const run = (name: string) => measure(load, name, parseWorkload('2x2'), QUICK, {});
    assert.ok((await run(honest)).messages > 0);
    assert.is(serverOf(honest).title, 'honest.mjs');
    const error = await run(dropping).then(
      () => undefined,
      (caught: Error) => caught,
    );
    assert.match(error?.message ?? 'it passed', /^load: connection \d+: message \d+: byte \d+ is/);
    assert.is(obstacle(`${folder}/none.mjs`, {}, 'c'), 'there is no such file');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('an unknown name is told with those that there are', () => {
  assert.throws(() => serverOf('node-net'), /no server node-net; there are c-epoll, /);
  assert.throws(() => serverOf('toString'), /no server toString/);
});

test('what cannot run here has a reason', () => {
  assert.is(obstacle('overlapped-uring-batch', { uring: 'no io_uring' }, 'c'), 'no io_uring');
  assert.match(obstacle('ws', {}, 'javascript') ?? '', /load generator in C/);
  assert.is(obstacle('node-net-raw', { net: 'none' }, 'javascript'), undefined);
});

test('lengths of two bytes go up to 65,535', () => {
  const { 'node-net-cork': cork, 'frame-stream': stream } = SERVERS;
  assert.equal(framingOf(cork!, 65_535), { framing: 'u16le-inclusive', headerBytes: 2 });
  assert.equal(framingOf(cork!, 65_536), { framing: 'u32le-inclusive', headerBytes: 4 });
  assert.is(framingOf(stream!, 64).framing, 'u32be');
});

test('the lists name servers and workloads that there are', () => {
  const workloads = WORKLOADS.split(',');
  for (const text of [...workloads, ...QUICK_WORKLOADS.split(',')]) parseWorkload(text);
  for (const name of QUICK_SERVERS) serverOf(name);
  for (const [ours, other, bounds] of COMPARISONS) {
    assert.is(serverOf(ours).role, 'own');
    serverOf(other);
    if (typeof bounds !== 'object') continue;
    for (const [workload, bound] of Object.entries(bounds)) {
      assert.ok(workloads.includes(workload), workload);
      assert.ok(bound > 0, `${ours} ${other} ${workload}`);
    }
  }
  for (const { variants } of AXES) for (const { server } of variants) serverOf(server);
});

test.run();
