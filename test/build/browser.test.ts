/**
 * The package in a browser: nothing that it loads there at once is a module of Node's, and the
 * built files echo over the simulated network in a real page.
 */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listFiles } from '../../build/files.ts';
import { testWith } from '../examples/run-example.ts';
import { chromium } from '../hosts/chromium.ts';
import { readImports } from './import-graph.ts';

/** What a page may import: the public entries without a system below them, and the micro benchmark. */
const ENTRIES = ['index', 'core', 'sim', 'msgpack', 'bench-micro'];

test('what a page loads at once imports no module of Node', async () => {
  const inputs = await readImports(ENTRIES.map((name) => `dist/${name}.js`));
  for (const name of ENTRIES) {
    const seen = new Set<string>();
    const visit = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      for (const { kind, external, path: to } of inputs[path]?.imports ?? []) {
        if (kind !== 'import-statement') continue;
        assert.not(external && to.startsWith('node:'), `${name}: ${path} imports ${to}`);
        visit(to);
      }
    };
    visit(`dist/${name}.js`);
    assert.ok(seen.size > 1, name);
  }
});

const PROGRAM = `
import { connect, lengthField, listen } from './index.js';
import { sim } from './sim.js';

const backend = sim({ seed: 7, receiveDepth: 20, shuffle: 0.5, split: 0.5 });
const framing = lengthField({ size: 2 });
const common = { backend, port: 1, framing, receiveDepth: 20 };
const server = await listen({ ...common, message: (connection, bytes) => void connection.send(bytes) });
const client = await connect(common);
let wrong = 0;
for (let number = 0; number < 1000; number++) client.send(new Uint8Array([number & 255, number >>> 8]));
let received = 0;
for await (const message of client) {
  if (message[0] + message[1] * 256 !== received) wrong++;
  if (++received === 1000) break;
}
await server.close();
console.log(server.port.backend.name + ': ' + received + ' received, ' + wrong + ' out of order');
`;

await testWith(
  ['chromium'],
  'apt-get install chromium',
  'the built files echo over sim in a page',
  async ([program]) => {
    const folder = await mkdtemp(join(tmpdir(), 'overlapped-page-'));
    const lines: string[] = [];
    const control = new AbortController();
    const limit = setTimeout(() => control.abort(), 60_000);
    try {
      for (const path of await listFiles('dist')) {
        if (/^dist\/[^/]+\.js$/.test(path)) await cp(path, join(folder, basename(path)));
      }
      await writeFile(join(folder, 'page.js'), PROGRAM);
      await chromium.run(program as string, {
        folder,
        entry: 'page.js',
        line: (text) => lines.push(text),
        signal: control.signal,
      });
    } finally {
      clearTimeout(limit);
      await rm(folder, { recursive: true, force: true });
    }
    assert.is(lines.join('\n'), 'sim: 1000 received, 0 out of order');
  },
);

test.run();
