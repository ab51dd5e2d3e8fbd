/** The command line: help, versions, mistakes, and what is not there yet. */
import { readFile } from 'node:fs/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findHost, HOST_NAMES, runCli } from './run-cli.ts';

const COMMANDS = ['start', 'info', 'echo', 'harness', 'shutdown', 'stress', 'bench'];

test('--help, of the program and of every command', async () => {
  const { exit, stdout } = await runCli(['--help']);
  assert.is(exit, 0);
  for (const name of COMMANDS) {
    assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
    const help = await runCli([name, '--help']);
    assert.is(help.exit, 0, name);
    assert.match(help.stdout, `usage: overlapped ${name}`);
    assert.is(help.stderr, '');
  }
  assert.is((await runCli([])).exit, 2);
});

test('--help of echo names every option and its default', async () => {
  const { stdout } = await runCli(['echo', '--help']);
  const expected = {
    backend: 'auto',
    host: '127.0.0.1',
    port: '0',
    framing: 'u16le,inclusive',
    reads: '20',
    'buffer-size': '1024',
    'max-message': '65536',
    workers: '0',
    scheduling: 'pinned',
    pool: '0',
    fragments: '1',
    'read-order': 'on',
    'write-order': 'on',
    'pool-order': 'on',
    'eager-read': 'on',
    lock: 'socket',
  };
  for (const [name, fallback] of Object.entries(expected)) {
    assert.match(stdout, new RegExp(`--${name} [^[]*\\[${fallback}\\]$`, 'm'));
  }
  assert.match(stdout, /--event NAME/);
  assert.not.match(stdout, /with-parent/);
});

test('--version is the package’s', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  assert.is((await runCli(['--version'])).stdout, `${version}\n`);
});

for (const host of HOST_NAMES) {
  if ((await findHost(host)) === undefined) continue;
  test(`info in ${host}`, async () => {
    const { exit, stdout, stderr, json } = await runCli(['info', '--json'], host);
    assert.is(stderr, '');
    assert.is(exit, 0);
    assert.is(stdout.trimEnd().split('\n').length, 1);
    const info = json as {
      host: { name: string; version: string };
      package: string;
      backends: { name: string; available: boolean; reason?: string }[];
      default: { name: string; reason: string };
      core: { bytes: number; build: string };
    };
    assert.is(info.host.name.toLowerCase(), host);
    assert.match(info.host.version, /^v?\d+\.\d+/);
    const byName = new Map(info.backends.map((backend) => [backend.name, backend]));
    assert.is(byName.get('net')?.available, true);
    assert.is(byName.get('bun')?.available, host === 'bun');
    for (const { available, reason } of info.backends) assert.ok(available || reason);
    assert.is(byName.get(info.default.name)?.available, true);
    assert.ok(info.default.reason);
    assert.ok(info.core.bytes > 1000);

    const text = await runCli(['info'], host);
    assert.is(text.exit, 0);
    assert.match(text.stdout, new RegExp(`default +${info.default.name}`));
  });
}

const MISTAKES: readonly (readonly [string[], RegExp])[] = [
  [['dance'], /unknown command dance; there are start, info, echo/],
  [['--dance'], /unknown option --dance; there are start/],
  [['echo', '--dance'], /unknown option --dance; echo takes --backend, --host/],
  [['echo', '-x'], /unknown option -x; echo takes/],
  [['echo', 'fast'], /takes no argument 'fast'/],
  [
    ['echo', '--port', 'high'],
    /--port: 'high' is not allowed; allowed: a whole number from 0 to 65535/,
  ],
  [['echo', '--port', '65536'], /--port: '65536' is not allowed/],
  [['echo', '--port=-1'], /--port: '-1' is not allowed/],
  [['echo', '--port'], /--port: no value is not allowed/],
  [['echo', '--backend', 'epoll'], /allowed: auto, net, bun, uring, iocp/],
  [['echo', '--read-order', 'yes'], /--read-order: 'yes' is not allowed; allowed: on, off/],
  [['echo', '--lock', 'stripes:0'], /allowed: socket, stripes:N/],
  [['echo', '--scheduling', 'shared'], /--scheduling shared needs --workers above 0/],
  [['echo', '--pool-order', 'off'], /--pool-order off needs --pool above 0/],
  [['echo', '--lock', 'stripes:4'], /--lock stripes:4 needs --scheduling shared/],
  [['echo', '--json=yes'], /--json takes no value/],
  [['echo', '--framing', 'u17'], /framing/],
  [['harness'], /--port or --path/],
  [['harness', '--port', '1', '--size', '0'], /--size: '0' is not allowed/],
  [['harness', '--port', '1', '--framing', 'raw'], /--framing: the harness needs frames/],
  [['harness', '--port', '1', '--size', '3'], /--size: 3-3 is not allowed .* allowed: 10 to 65535/],
  [['shutdown'], /--event NAME/],
];

for (const [argv, expected] of MISTAKES) {
  test(`exit 2: ${argv.join(' ')}`, async () => {
    const { exit, stdout, stderr } = await runCli(argv);
    assert.match(stderr, expected);
    assert.is(stderr.trimEnd().split('\n').length, 1);
    assert.is(stdout, '');
    assert.is(exit, 2);
  });
}

/** What could be asked for and cannot be done, on any host. */
const REFUSED: readonly (readonly [string[], RegExp])[] = [
  [
    ['echo', '--workers', '2', '--path', '/tmp/overlapped-never.sock'],
    /scheduling 'pinned' listens on a TCP port: a path cannot be listened on by several threads/,
  ],
];

for (const [argv, reason] of REFUSED) {
  test(`exit 3: ${argv.join(' ')}`, async () => {
    const { exit, stdout, stderr, json } = await runCli([...argv, '--json']);
    assert.match(stderr, /^overlapped: NOT_SUPPORTED: [^\n]+\n$/);
    assert.match(stderr, reason);
    assert.is((json!.error as { code: string }).code, 'NOT_SUPPORTED');
    assert.is(stdout.trimEnd().split('\n').length, 1);
    assert.is(exit, 3);
  });
}

test('a backend that cannot run here: exit 3 and why', async () => {
  const { exit, stderr } = await runCli(['echo', '--backend', 'iocp']);
  assert.match(stderr, /^overlapped: NOT_SUPPORTED: the backend iocp cannot run here: /);
  assert.is(exit, 3);
});

test('nobody listens: exit 1, one line, no stack unless asked for', async () => {
  const { exit, stderr } = await runCli(['shutdown', '--event', 'nobody-listens-to-this']);
  assert.is(stderr, "overlapped: REFUSED: nobody listens to the event 'nobody-listens-to-this'\n");
  assert.is(exit, 1);
  const harness = await runCli(['harness', '--port', '1', '--json']);
  assert.match(harness.stderr, /^overlapped: REFUSED: [^\n]+\n$/);
  assert.is((harness.json!.error as { code: string }).code, 'REFUSED');
  assert.is(harness.exit, 1);
  const debug = await runCli(['harness', '--port', '1'], 'node', { DEBUG: '1' });
  assert.match(debug.stderr, /\n {4}at /);
});

test('no colours where the output is no terminal', async () => {
  const { stderr, stdout } = await runCli(['dance'], 'node', { NO_COLOR: '' });
  assert.is((stdout + stderr).includes('\u001b'), false);
});

test.run();
