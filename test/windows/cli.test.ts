/** The command line on Windows, in this very host: what it says, what ends it, and what it does without koffi. */
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type FileOutcome, type FileProgram, startFileProgram } from './file-program.ts';
import { type Installed, install, installWithout } from './package-copy.ts';

const MESSAGES = 2_000;
const CONNECTIONS = 5;

interface Context {
  full: Installed;
}

const test = suite<Context>('command line on Windows');

test.before(async (context) => {
  context.full = await install();
});
test.after(async ({ full }) => {
  await full.remove();
});

let lastEvent = 0;
const newEvent = () => `overlapped-test-${process.pid}-${++lastEvent}`;

function start({ cli }: Installed, ...argv: readonly string[]): Promise<FileProgram> {
  return startFileProgram(process.execPath, [cli, ...argv]);
}

async function run(installed: Installed, ...argv: readonly string[]): Promise<FileOutcome> {
  return (await start(installed, ...argv)).ended;
}

async function portOf(server: FileProgram): Promise<string> {
  return (await server.output(/^listening on 127\.0\.0\.1:(\d+)$/m))[1] as string;
}

interface Info {
  readonly host: { readonly name: string };
  readonly default: { readonly name: string; readonly reason: string };
  readonly backends: readonly {
    readonly name: string;
    readonly available: boolean;
    readonly reason: string;
  }[];
}

/** What `echo --json` ends with, in part. */
interface Ended {
  readonly backend: { readonly name: string };
  readonly event: { readonly fallback: string };
}

function iocpOf(info: Info) {
  return info.backends.find(({ name }) => name === 'iocp');
}

const HOST = 'Bun' in globalThis ? 'bun' : 'node';
/** What `auto` takes without completion ports. */
const SECOND = HOST === 'bun' ? 'bun' : 'net';

test('info: completion ports are there, and what `auto` takes', async ({ full }) => {
  const { exit, json, stderr } = await run(full, 'info', '--json');
  assert.is(stderr, '');
  assert.is(exit, 0);
  const info = json as unknown as Info;
  assert.is(info.host.name, HOST);
  assert.equal(info.default, { name: 'iocp', reason: 'the fastest' });
  assert.is(iocpOf(info)?.available, true);
});

test('echo, harness and shutdown by a Windows event', async ({ full }) => {
  const event = newEvent();
  const server = await start(full, 'echo', '--json', '--event', event);
  const port = await portOf(server);
  const second = await run(full, 'echo', '--event', event);
  assert.match(second.stderr, /ADDRESS_IN_USE: another process listens to the event/);
  assert.is(second.exit, 1);
  const taken = await run(full, 'echo', '--port', port);
  assert.match(taken.stderr, /^overlapped: ADDRESS_IN_USE: [^\n]+\n$/);
  assert.is(taken.exit, 1);
  const load = ['--messages', String(MESSAGES), '--connections', String(CONNECTIONS)];
  const harness = await run(full, 'harness', '--json', '--port', port, ...load);
  assert.is(harness.exit, 0, harness.stderr);
  const { held, received, sequenceMismatches, contentMismatches, lost } = harness.json ?? {};
  assert.equal(
    { held, received, sequenceMismatches, contentMismatches, lost },
    { held: true, received: MESSAGES, sequenceMismatches: 0, contentMismatches: 0, lost: 0 },
  );
  const shutdown = await run(full, 'shutdown', '--json', '--event', event);
  assert.equal(shutdown.json, { event, signaled: true, kind: 'Windows event' });
  assert.is(shutdown.exit, 0);
  const { exit, json, stderr } = await server.ended;
  assert.is(stderr, '');
  assert.is(exit, 0);
  assert.is(json?.ended, `event ${event}`);
  assert.equal(json?.event, { kind: 'Windows event' });
  assert.is(json?.messages, MESSAGES);
  assert.equal(json?.errors, {});
  assert.equal(json?.backend, { name: 'iocp', reason: 'the fastest' });
  // The event went with its process.
  const again = await run(full, 'shutdown', '--event', event);
  assert.is(again.stderr, `overlapped: REFUSED: nobody listens to the event '${event}'\n`);
  assert.is(again.exit, 1);
});

test('names that no event can have are told', async ({ full }) => {
  for (const name of ['a\\b', 'Elsewhere\\a', 'x'.repeat(300)]) {
    const { exit, stderr } = await run(full, 'shutdown', '--event', name);
    assert.match(stderr, /INVALID_OPTION: /);
    assert.is(exit, 2);
  }
});

const LACKING: readonly (readonly [title: string, koffi: string | undefined, why: RegExp])[] = [
  ['without koffi', undefined, /the optional dependency koffi does not load \(npm install koffi\)/],
  [
    'with a koffi that is too old',
    'export default { version: "3.1.4" };',
    /koffi 3\.3\.4 or later is needed, this is 3\.1\.4: npm install koffi/,
  ],
  [
    'with a koffi that fails as it loads',
    'throw new Error("no native part for this system");',
    /koffi does not load .*no native part for this system/,
  ],
  [
    'with a koffi that finds no Winsock',
    'export default { version: "3.3.4", load(name) { throw new Error("no " + name); } };',
    /no kernel32\.dll/,
  ],
];

for (const [title, koffi, why] of LACKING) {
  test(`${title} the reason is shown, and \`auto\` takes the next backend`, async ({ full }) => {
    const lacking = await installWithout(koffi);
    const event = newEvent();
    try {
      const info = await run(lacking, 'info', '--json');
      assert.is(info.exit, 0, info.stderr);
      const facts = info.json as unknown as Info;
      assert.is(facts.default.name, SECOND);
      assert.match(facts.default.reason, why);
      assert.is(iocpOf(facts)?.available, false);
      assert.match(iocpOf(facts)?.reason ?? '', why);

      const named = await run(lacking, 'echo', '--backend', 'iocp');
      assert.match(named.stderr, /^overlapped: NOT_SUPPORTED: the backend iocp cannot run here: /);
      assert.match(named.stderr, why);
      assert.is(named.exit, 3);

      // Its event is a named pipe, which both kinds of installation can signal.
      const server = await start(lacking, 'echo', '--json', '--event', event);
      await portOf(server);
      const [, reason] = await server.output(/^event \S+ by a named pipe: (.*)$/m);
      assert.match(reason as string, why);
      const shutdown = await run(full, 'shutdown', '--event', event, '--json');
      assert.is(shutdown.json?.kind, 'named pipe', shutdown.stderr);
      const { exit, json } = await server.ended;
      assert.is(exit, 0);
      assert.is(json?.ended, `event ${event}`);
      const { backend, event: carrier } = json as unknown as Ended;
      assert.is(backend.name, SECOND);
      assert.match(carrier.fallback, why);
    } finally {
      await lacking.remove();
    }
  });
}

test('who cannot set a Windows event says so', async ({ full }) => {
  const lacking = await installWithout();
  const event = newEvent();
  try {
    const server = await start(full, 'echo', '--json', '--event', event);
    await portOf(server);
    const shutdown = await run(lacking, 'shutdown', '--event', event);
    assert.match(shutdown.stderr, /REFUSED: .* one of the system's own cannot be set: .*koffi/);
    assert.is(shutdown.exit, 1);
    assert.is((await run(full, 'shutdown', '--event', event)).exit, 0);
    assert.is((await server.ended).exit, 0);
  } finally {
    await lacking.remove();
  }
});

test.run();
