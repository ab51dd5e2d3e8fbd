/** The arrows of ARCHITECTURE.md, held against the code's own imports. */
import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listFiles } from '../../build/files.ts';
import { readImports } from './import-graph.ts';

type Graph = ReadonlyMap<string, readonly string[]>;

/** What each source file imports at run time: types are erased. */
async function readGraph(): Promise<Graph> {
  const files = (await Promise.all(['src', 'backends'].map(listFiles))).flat();
  const inputs = await readImports(files.filter((path) => path.endsWith('.ts')));
  return new Map(
    Object.entries(inputs).map(([path, { imports }]) => [
      path,
      imports.filter(({ external }) => !external).map((edge) => edge.path),
    ]),
  );
}

/** Imports and re-exports as they are written: from the first word to the file. */
const STATEMENT = /^(?:import|export)(?: type)? (?:[\w*{][^;'"]*? from )?'([^']+)';$/gm;
/** How each of them begins. */
const BEGINNING = /^(?:import |export (?:type )?(?:\*|\{[^}]*\} from))/gm;
/** Those in the midst of code, be it of a module or of a type. */
const INLINE = /\bimport\('([^']+)'\)/g;

/** What each file of some folders imports by its text, which knows types, too. */
async function readTexts(...folders: string[]): Promise<Graph> {
  const graph = new Map<string, readonly string[]>();
  const files = (await Promise.all(folders.map(listFiles))).flat();
  for (const file of files.filter((path) => path.endsWith('.ts'))) {
    const text = await readFile(file, 'utf8');
    const beginnings = text.match(BEGINNING)?.length ?? 0;
    const found = [...text.matchAll(STATEMENT)];
    if (found.length !== beginnings) {
      throw new Error(`${file}: ${found.length} of ${beginnings} imports were recognised`);
    }
    const own = [...found, ...text.matchAll(INLINE)]
      .map(([, path]) => path as string)
      .filter((path) => path.startsWith('.'));
    const folder = posix.dirname(file);
    graph.set(
      file,
      own.map((path) => posix.join(folder, path.endsWith('.ts') ? path : `${path}.ts`)),
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

/** Everything that a file imports, and what that imports. */
function reachOf(graph: Graph, file: string): ReadonlySet<string> {
  const reach = new Set<string>();
  const left = [file];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    for (const target of graph.get(next) ?? []) {
      if (reach.has(target)) continue;
      reach.add(target);
      left.push(target);
    }
  }
  return reach;
}

/** The sets of files of which each reaches all others. */
function circlesOf(graph: Graph): string[][] {
  const reaches = new Map([...graph.keys()].map((file) => [file, reachOf(graph, file)]));
  const left = new Set([...graph.keys()].filter((file) => reaches.get(file)?.has(file)));
  const circles: string[][] = [];
  for (const file of left) {
    const circle = [...left].filter(
      (other) => reaches.get(file)?.has(other) && reaches.get(other)?.has(file),
    );
    for (const other of circle) left.delete(other);
    circles.push(circle.sort());
  }
  return circles;
}

/** Files whose types point both ways. These lists only shrink: nobody joins, and who has left is taken off. */
const TYPE_CIRCLES: readonly (readonly string[])[] = [
  ['backends/bun/connection.ts', 'backends/bun/context.ts'],
  [
    'backends/net/connection.ts',
    'backends/net/context.ts',
    'backends/net/direct-write.ts',
    'backends/net/handle-connection.ts',
    'backends/net/sends.ts',
    'backends/net/socket-connection.ts',
  ],
  // The public API: a connection has its port, and handlers, which are called with connections.
  [
    'src/batch.ts',
    'src/connection-events.ts',
    'src/connection-state.ts',
    'src/connection.ts',
    'src/dispatch.ts',
    'src/entity.ts',
    'src/handlers.ts',
    'src/option-names.ts',
    'src/port-place.ts',
    'src/port-share.ts',
    'src/port.ts',
    'src/profile.ts',
    'src/turn-loop.ts',
    'src/types.ts',
  ],
];

const graph = await readGraph();
const typeGraph = await readTexts('src', 'backends');
/** Esbuild does not take the core's decorators, and would leave out imports of records. */
const coreGraph = await readTexts('assembly');

type Edge = readonly [from: string, to: string];

function edgesOf(graph: Graph): readonly Edge[] {
  return [...graph].flatMap(([from, to]) => to.map((target): Edge => [from, target]));
}

const edges = edgesOf(graph);
const coreEdges = edgesOf(coreGraph);

test('the graph is read', () => {
  assert.ok(edges.some(([from, to]) => from === 'src/port-opening.ts' && to === 'src/registry.ts'));
});

test('the graph with types has all of it, and types', () => {
  const missing = edges.filter(
    ([from, to]) => typeGraph.has(from) && typeGraph.has(to) && !typeGraph.get(from)?.includes(to),
  );
  assert.equal(missing, []);
  const [from, to] = ['backends/sim/pump.ts', 'backends/sim/scheduler.ts'];
  assert.ok(typeGraph.get(from)?.includes(to));
  assert.not.ok(graph.get(from)?.includes(to));
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

test('types point one way, except where that is known', () => {
  const circles = circlesOf(typeGraph);
  const isKnown = (circle: string[]) =>
    TYPE_CIRCLES.some((known) => circle.every((file) => known.includes(file)));
  assert.equal(
    circles.filter((circle) => !isKnown(circle)),
    [],
  );
  const inCircles = new Set(circles.flat());
  const freed = TYPE_CIRCLES.flat().filter((file) => !inCircles.has(file));
  assert.equal(freed, [], 'in no circle any more: take them off the list');
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
