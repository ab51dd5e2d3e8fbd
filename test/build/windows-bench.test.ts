/** The parts of the Windows test bench that need no Windows. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FileLines } from '../hosts/windows-output.ts';
import { abandonedFolders, cached, temporaryFolder } from '../windows/cache.ts';
import { endProcesses } from '../windows/prefix.ts';

const SETTING = 'OVERLAPPED_WINDOWS_CACHE';

const test = suite<{ folder: string; before: string | undefined }>();

test.before.each(async (context) => {
  context.before = process.env[SETTING];
  context.folder = await mkdtemp(join(tmpdir(), 'overlapped-bench-'));
  process.env[SETTING] = context.folder;
});

test.after.each(async ({ folder, before }) => {
  if (before === undefined) delete process.env[SETTING];
  else process.env[SETTING] = before;
  await rm(folder, { recursive: true, force: true });
});

test('a part of the cache is made once, and of two at once one stays', async ({ folder }) => {
  const made: string[] = [];
  const make = (name: string) => async (place: string) => {
    await writeFile(join(place, 'content'), name);
    made.push(name);
  };
  const both = await Promise.all([cached('part', make('a')), cached('part', make('b'))]);
  assert.equal(both, [join(folder, 'part'), join(folder, 'part')]);
  assert.equal(made.slice().sort(), ['a', 'b']);
  const content = await readFile(join(folder, 'part', 'content'), 'utf8');
  assert.ok(made.includes(content));
  await cached('part', make('c'));
  assert.is(made.length, 2);
  assert.equal(await readdir(join(folder, 'tmp')), []);
});

test('a part that could not be made leaves nothing, and is tried again', async ({ folder }) => {
  const failing = cached('part', async (place) => {
    await writeFile(join(place, 'half'), '');
    throw new Error('broken off');
  });
  await failing.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'broken off'),
  );
  assert.equal(await readdir(folder), ['tmp']);
  assert.equal(await readdir(join(folder, 'tmp')), []);
  await cached('part', (place) => writeFile(join(place, 'whole'), ''));
  assert.equal(await readdir(join(folder, 'part')), ['whole']);
});

test('folders of processes that have ended are abandoned, those of living ones are not', async ({
  folder,
}) => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const own = await temporaryFolder();
  const left = join(folder, 'tmp', `${child.pid}-abcdef`);
  await writeFile(left, '');
  const abandoned = await abandonedFolders();
  assert.ok(abandoned.includes(left));
  assert.not.ok(abandoned.includes(own));
});

test('lines of a file come as they are written, the last one without its end too', async ({
  folder,
}) => {
  const path = join(folder, 'output.txt');
  await writeFile(path, '');
  const lines: string[] = [];
  let end = () => {};
  let seen = () => {};
  const first = new Promise<void>((resolve) => {
    seen = resolve;
  });
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const take = (line: string) => {
    lines.push(line);
    seen();
  };
  const following = FileLines.follow(path, take, ended);
  const euro = Buffer.from('€');
  await appendFile(path, Buffer.concat([Buffer.from('one\r\ntwo '), euro.subarray(0, 1)]));
  await first;
  assert.equal(lines, ['one']);
  await appendFile(path, Buffer.concat([euro.subarray(1), Buffer.from('\nthree')]));
  end();
  await following;
  assert.equal(lines, ['one', 'two €', 'three']);
});

if (process.platform === 'linux') {
  test('processes of a prefix are ended, in whatever session, and no others', async ({
    folder,
  }) => {
    const start = (prefix: string) =>
      spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)'], {
        env: { ...process.env, WINEPREFIX: prefix },
        detached: true,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    const inside = start(join(folder, 'prefix'));
    const other = start(join(folder, 'prefix2'));
    try {
      await Promise.all([inside, other].map(({ stdout }) => once(stdout, 'data')));
      const gone = once(inside, 'exit');
      endProcesses(join(folder, 'prefix'));
      assert.equal(await gone, [null, 'SIGKILL']);
      assert.is(other.exitCode, null);
      assert.is(other.signalCode, null);
    } finally {
      inside.kill('SIGKILL');
      other.kill('SIGKILL');
    }
  });
}

test.run();
