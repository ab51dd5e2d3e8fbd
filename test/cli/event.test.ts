/** Named events (R13): signaled once, by this user, and never by accident. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listenEvent, signalEvent } from '../../src/event.ts';

const test = suite('event');
const before = process.env.TMPDIR;
let folder = '';

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'overlapped-event-'));
  process.env.TMPDIR = folder;
});
test.after.each(async () => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  await rm(folder, { recursive: true });
});

const userFolder = () => join(folder, `overlapped-${userInfo().uid}`);

async function rejects(work: Promise<unknown>, code: string): Promise<void> {
  const error = await work.then(
    () => assert.unreachable(`no error, not ${code}`),
    (error) => error,
  );
  assert.is(error.code, code);
}

test('a signal resolves', async () => {
  const event = await listenEvent('stop');
  await signalEvent('stop');
  await event.signaled;
  await signalEvent('stop');
  await event.close();
  assert.equal(await readdir(userFolder()), []);
});

test('nobody listens', async () => {
  await rejects(signalEvent('stop'), 'REFUSED');
  const event = await listenEvent('stop');
  await rejects(signalEvent('stop2'), 'REFUSED');
  await event.close();
  await rejects(signalEvent('stop'), 'REFUSED');
});

test('a name has one listener, and asking does not signal', async () => {
  const event = await listenEvent('stop');
  let isSignaled = false;
  event.signaled.then(() => {
    isSignaled = true;
  });
  await rejects(listenEvent('stop'), 'ADDRESS_IN_USE');
  const [file] = await readdir(userFolder());
  const stranger = createConnection(join(userFolder(), file as string));
  stranger.write('hello');
  await once(stranger, 'close');
  assert.is(isSignaled, false);
  await signalEvent('stop');
  await event.signaled;
  await event.close();
});

test('only this user can reach it', async () => {
  const event = await listenEvent('stop');
  const [file] = await readdir(userFolder());
  assert.is((await lstat(join(userFolder(), file as string))).mode & 0o777, 0o600);
  assert.is((await lstat(userFolder())).mode & 0o777, 0o700);
  await event.close();
  await chmod(userFolder(), 0o755);
  await rejects(listenEvent('stop'), 'ACCESS');
  await rejects(signalEvent('stop'), 'ACCESS');
});

test('the socket of a killed process is in nobody’s way', async () => {
  const first = await listenEvent('stop');
  const [file] = await readdir(userFolder());
  await first.close();
  const path = join(userFolder(), file as string);
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(await readdir(userFolder()), [file]);
  await rejects(signalEvent('stop'), 'REFUSED');
  const second = await listenEvent('stop');
  await signalEvent('stop');
  await second.signaled;
  await second.close();
});

test('any name works, and names that look alike are told apart', async () => {
  const long = 'x'.repeat(300);
  const names = ['../up', '.._up', 'a/b', 'a_b', 'grüße', 'gruße', long, `${long}y`, ' '];
  const events = await Promise.all(names.map((name) => listenEvent(name)));
  assert.is((await readdir(userFolder())).length, names.length);
  assert.equal(await readdir(folder), [`overlapped-${userInfo().uid}`]);
  for (const [index, name] of names.entries()) {
    await signalEvent(name);
    await events[index]?.signaled;
  }
  await Promise.all(events.map((event) => event.close()));
  await rejects(listenEvent(''), 'INVALID_OPTION');
});

test.run();
