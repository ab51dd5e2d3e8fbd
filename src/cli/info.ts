/** `overlapped info`: this host, and which backends it can run. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { arch, cpus, release, type } from 'node:os';
import { info as hostInfo } from '../index.ts';
import { command } from './command.ts';
import { EXIT_OK } from './outcome.ts';
import { count, paint, table } from './terminal.ts';
import { version } from './version.ts';

/** The core as a file, beside the bundles. */
const CORE_URL = new URL('./core.wasm', import.meta.url);

interface CoreFile {
  readonly bytes: number;
  /** Tells builds apart: the first digits of the SHA-256. */
  readonly build: string;
}

export const info = command({
  name: 'info',
  summary: 'Says what this host is and which backends it can run.',
  options: {},
  async run({ json }) {
    const { host, versions, backends, default: chosen } = await hostInfo();
    const processors = cpus();
    const facts = {
      package: version,
      host: { name: host, version: versions[host] ?? 'unknown' },
      os: `${type()} ${release()} ${arch()}`,
      cpu: { model: processors[0]?.model ?? 'unknown', count: processors.length },
      backends,
      default: chosen,
      core: await coreFile(),
      versions,
    };
    if (json) {
      console.log(JSON.stringify(facts));
      return EXIT_OK;
    }
    const { core } = facts;
    const rows: [string, string][] = [
      ['overlapped', version],
      ['host', `${facts.host.name} ${facts.host.version}`],
      ['system', facts.os],
      ['processor', `${facts.cpu.count} × ${facts.cpu.model}`],
      ['core', core ? `WebAssembly, ${count(core.bytes)} bytes, build ${core.build}` : 'embedded'],
      ['default', `${chosen.name}: ${chosen.reason}`],
    ];
    const reports: [string, string][] = backends.map(({ name, available, reason }) => [
      name,
      available
        ? paint(reason === undefined ? 'available' : `available: ${reason}`, 'green')
        : paint(`not available: ${reason}`, 'dim'),
    ]);
    console.log(`${table(rows)}\n\nbackends\n${table(reports)}`);
    return EXIT_OK;
  },
});

async function coreFile(): Promise<CoreFile | undefined> {
  const bytes = await readFile(CORE_URL).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const build = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  return { bytes: bytes.length, build };
}
