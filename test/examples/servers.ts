/** Real servers for the examples' clients: on a free port, in a folder of their own, ended by process number. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startProgram } from '../cli/run-cli.ts';

const run = promisify(execFile);

export interface RealServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until somebody accepts connections on `port`. */
async function accepting(port: number, stopped: Promise<string>): Promise<void> {
  let isStopped = false;
  const ended = stopped.then((why) => {
    isStopped = true;
    throw new Error(`the server ended: ${why}`);
  });
  const reach = async () => {
    while (!isStopped) {
      const socket = createConnection(port, '127.0.0.1');
      const isOpen = await new Promise<boolean>((resolve) => {
        socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
      });
      socket.destroy();
      if (isOpen) return;
      await sleep(50);
    }
  };
  await Promise.race([reach(), ended]);
  // Later it ends as it should.
  ended.catch(() => {});
}

/** dnsmasq that knows `addresses` only. */
export async function startDnsmasq(
  program: string,
  addresses: Readonly<Record<string, string>>,
): Promise<RealServer> {
  const port = await freePort();
  const { child, ended } = startProgram(program, [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    `--port=${port}`,
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    '--no-resolv',
    '--no-hosts',
    '--log-facility=-',
    '--pid-file=',
    '--local=/test/',
    ...Object.entries(addresses).map(([name, address]) => `--host-record=${name},${address}`),
  ]);
  await accepting(
    port,
    ended.then(({ exit, stderr }) => `${exit} ${stderr}`),
  );
  return {
    port,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The numbers of a user and its group, of whom `id` is asked. */
async function numbersOf(user: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all([run('id', ['-u', user]), run('id', ['-g', user])]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

/** A new PostgreSQL cluster that trusts who connects from this machine. `folder` holds initdb and postgres. */
export async function startPostgres(folder: string): Promise<RealServer> {
  const data = await mkdtemp(join(tmpdir(), 'overlapped-postgres-'));
  // initdb and postgres refuse to run as root.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    const { uid, gid } = await numbersOf('postgres');
    await chown(data, uid, gid);
  }
  const as = (program: string, argv: readonly string[]): [string, string[]] =>
    isRoot
      ? ['runuser', ['-u', 'postgres', '--', join(folder, program), ...argv]]
      : [join(folder, program), [...argv]];
  const [initdb, initArguments] = as('initdb', [
    ...['--pgdata', data, '--username', 'postgres', '--auth', 'trust'],
    ...['--encoding', 'UTF8', '--locale', 'C', '--no-sync'],
  ]);
  await run(initdb, initArguments, { cwd: tmpdir() });
  const port = await freePort();
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
  ];
  const [postgres, argv] = as('postgres', ['-D', data, ...settings.flatMap((one) => ['-c', one])]);
  const { ended } = startProgram(postgres, argv);
  await accepting(
    port,
    ended.then(({ exit, stderr }) => `${exit} ${stderr}`),
  );
  return {
    port,
    async stop() {
      // The process in between does not pass signals on in every version.
      const [pid] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGINT');
      await ended;
      await rm(data, { recursive: true, force: true });
    },
  };
}
