/** The arrows of ARCHITECTURE.md, held against the code's own imports. */
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listFiles } from '../../build/files.ts';

type Graph = ReadonlyMap<string, readonly string[]>;

/** What each source file imports at run time: types are erased. */
async function readGraph(): Promise<Graph> {
  const files = (await Promise.all(['src', 'backends'].map(listFiles))).flat();
  const { metafile } = await build({
    entryPoints: files.filter((path) => path.endsWith('.ts')),
    bundle: true,
    write: false,
    metafile: true,
    outdir: 'dist/none',
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  });
  return new Map(
    Object.entries(metafile.inputs).map(([path, { imports }]) => [
      path,
      imports.filter(({ external }) => !external).map((edge) => edge.path),
    ]),
  );
}

function findCycle(graph: Graph): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (done.has(file)) return undefined;
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

const graph = await readGraph();
const edges = [...graph].flatMap(([from, to]) => to.map((target) => [from, target] as const));

test('the graph is read', () => {
  assert.ok(edges.some(([from, to]) => from === 'src/port-opening.ts' && to === 'src/registry.ts'));
});

test('no files import each other in a circle', () => {
  assert.is(findCycle(graph)?.join(' → '), undefined);
});

test('a backend imports the contract, the core and the errors, and nothing else of src', () => {
  const allowed = /^(backends\/|src\/core\/|src\/errors\.ts$|dist\/generated\/)/;
  const bad = edges.filter(([from, to]) => from.startsWith('backends/') && !allowed.test(to));
  assert.equal(bad, []);
});

test('no backend imports another one', () => {
  const named = /^backends\/(net|bun|sim|iocp|uring)\//;
  const bad = edges.filter(([from, to]) => {
    const [own, other] = [named.exec(from)?.[1], named.exec(to)?.[1]];
    return own !== undefined && other !== undefined && own !== other;
  });
  assert.equal(bad, []);
});

test('only the registry names backends', () => {
  const bad = edges.filter(
    ([from, to]) =>
      from.startsWith('src/') && from !== 'src/registry.ts' && /^backends\/\w+\//.test(to),
  );
  assert.equal(bad, []);
});

test('the core windows know nothing of the loop above them', () => {
  const allowed = /^(src\/core\/|src\/errors\.ts$|src\/framing(-options)?\.ts$|dist\/generated\/)/;
  const bad = edges.filter(([from, to]) => from.startsWith('src/core/') && !allowed.test(to));
  assert.equal(bad, []);
});

test('the ordered pool stands on the core, beside the loop', () => {
  const allowed =
    /^(src\/workers\/|src\/core\/|src\/(errors|deferred|options)\.ts$|dist\/generated\/)/;
  const bad = edges.filter(
    ([from, to]) => from.startsWith('src/workers/pool/') && !allowed.test(to),
  );
  assert.equal(bad, []);
});

test.run();
