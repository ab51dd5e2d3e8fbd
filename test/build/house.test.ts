/** The arrows of ARCHITECTURE.md, held against the code's own imports. */
import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
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

/** The same of the core. Esbuild does not take its decorators, and would leave out imports of records. */
async function readCoreGraph(): Promise<Graph> {
  const graph = new Map<string, readonly string[]>();
  for (const file of (await listFiles('assembly')).filter((path) => path.endsWith('.ts'))) {
    const text = await readFile(file, 'utf8');
    const statements = text.match(/^(import|export [{*])/gm)?.length ?? 0;
    const found = [...text.matchAll(/ from '(\.[^']+)';$/gm)].map(([, path]) => path as string);
    if (found.length !== statements) {
      throw new Error(`${file}: ${found.length} of ${statements} imports were recognised`);
    }
    const folder = posix.dirname(file);
    graph.set(
      file,
      found.map((path) => `${posix.join(folder, path)}.ts`),
    );
  }
  return graph;
}

/** From the ground up: a file of the core imports from its own layer and from those below. */
const CORE_LAYERS: readonly RegExp[] = [
  /^layout(\/.*)?$/,
  /^(atomic|copy|debug)$/,
  /^(arena|lock|pool|queue|reorder|sequence)$/,
  /^frame\//,
  /^(buffer|event|lists|operation|records|shared-port)$/,
  /^(datagram|decoding|receive|send|send-queue)$/,
  /^connection\//,
  /^share\//,
  /^turn\//,
  /^(index|native\/.*)$/,
];

/** Numbers of the layers that claim a file: one, or the list above is wrong. */
function layersOf(file: string): number[] {
  const name = file.replace(/^assembly\//, '').replace(/\.ts$/, '');
  return CORE_LAYERS.flatMap((layer, number) => (layer.test(name) ? [number] : []));
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
const coreGraph = await readCoreGraph();

type Edge = readonly [from: string, to: string];

function edgesOf(graph: Graph): readonly Edge[] {
  return [...graph].flatMap(([from, to]) => to.map((target): Edge => [from, target]));
}

const edges = edgesOf(graph);
const coreEdges = edgesOf(coreGraph);

test('the graph is read', () => {
  assert.ok(edges.some(([from, to]) => from === 'src/port-opening.ts' && to === 'src/registry.ts'));
});

test('the graph of the core is read', () => {
  const wanted = ['assembly/index.ts', 'assembly/turn/turn.ts'];
  assert.ok(coreEdges.some(([from, to]) => from === wanted[0] && to === wanted[1]));
  assert.equal(
    coreEdges.filter(([, to]) => !coreGraph.has(to)),
    [],
  );
});

test('no files import each other in a circle', () => {
  assert.is(findCycle(graph)?.join(' → '), undefined);
  assert.is(findCycle(coreGraph)?.join(' → '), undefined);
});

test('every file of the core is in one layer, and imports nothing of those above', () => {
  const lost = [...coreGraph.keys()].filter((file) => layersOf(file).length !== 1);
  assert.equal(lost, []);
  const upwards = coreEdges.filter(
    ([from, to]) => (layersOf(from)[0] as number) < (layersOf(to)[0] as number),
  );
  assert.equal(upwards, []);
});

test("the kernels' structures are a module of their own, on what the core stands on", () => {
  const isNative = (path: string) => path.startsWith('assembly/native/');
  const allowed =
    /^assembly\/(native\/.*|layout|atomic|copy|debug|pool|queue|records|buffer|operation)\.ts$/;
  const bad = coreEdges.filter(([from, to]) => (isNative(from) ? !allowed.test(to) : isNative(to)));
  assert.equal(bad, []);
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
