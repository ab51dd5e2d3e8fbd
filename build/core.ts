/** Compiles the core: four binaries from one source, checked, embedded and described for the host; likewise what native backends add. */
import { readFile } from 'node:fs/promises';
import { main as compile } from 'assemblyscript/asc';
import type binaryen from 'assemblyscript/binaryen';
import { exists, hashFiles, listFiles, writeIfChanged } from './files.ts';
import { generateLayout } from './layout.ts';
import { findNoInline, markNoInline, type SourceTree } from './no-inline.ts';
import { stripInvariants } from './strip-invariants.ts';
import { type FunctionType, readWasm, type ValueType, type WasmBinary } from './wasm.ts';

interface ModuleSource {
  readonly name: string;
  readonly entry: string;
  /** What its exports are called in TypeScript, and where. */
  readonly described: string;
  readonly describedIn: string;
}

const CORE: ModuleSource = {
  name: 'core',
  entry: 'assembly/index.ts',
  described: 'CoreExports',
  describedIn: 'exports',
};

/** On the core's memory; instantiated by native backends only. */
const NATIVE: ModuleSource = {
  name: 'native',
  entry: 'assembly/native/index.ts',
  described: 'NativeExports',
  describedIn: 'native-exports',
};

interface CoreBuild {
  readonly source: ModuleSource;
  readonly file: string;
  readonly shared: boolean;
  readonly debug: boolean;
}

function buildsOf(source: ModuleSource): readonly CoreBuild[] {
  return [
    { source, file: `${source.name}.release`, shared: false, debug: false },
    { source, file: `${source.name}.release.shared`, shared: true, debug: false },
    { source, file: `${source.name}.debug`, shared: false, debug: true },
    { source, file: `${source.name}.debug.shared`, shared: true, debug: true },
  ];
}

const RELEASE_BYTES_MAX = 32 * 1024;

/** The host decides the size of the memory, so the binaries accept any: 1 page to 4 GiB. */
export const MEMORY_ARGUMENTS = [
  '--importMemory',
  '--initialMemory',
  '1',
  '--maximumMemory',
  '65536',
];

/** Runs asc; `virtual` are sources that are not on disk. Returns the binary. */
export async function assemble(
  argv: readonly string[],
  options: { virtual?: Readonly<Record<string, string>>; release?: boolean } = {},
): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  const messages: string[] = [];
  const output = { write: (chunk: Uint8Array | string) => void messages.push(String(chunk)) };
  const noInline: string[] = [];
  const transform = {
    afterParse({ sources }: { sources: readonly SourceTree[] }) {
      for (const source of sources.filter((item) => !item.internalPath.startsWith('~lib/'))) {
        if (options.release === true) stripInvariants(source.statements);
        noInline.push(...findNoInline(source));
      }
    },
    afterCompile: (module: binaryen.Module) => markNoInline(module, noInline),
  };
  const { error } = await compile(
    [...argv, '--runtime', 'stub', '--use', 'abort=', '--noColors', '--outFile', 'core.wasm'],
    {
      stdout: output,
      stderr: output,
      readFile: async (name) =>
        options.virtual?.[name] ?? (await readFile(name, 'utf8').catch(() => null)),
      writeFile: (name, content) => {
        if (name.endsWith('.wasm')) binary = content as Uint8Array;
      },
      listFiles: () => null,
      // asc also takes an object where its type asks for the base class.
      transforms: [transform as never],
    },
  );
  if (error !== null || binary === undefined) {
    throw new Error(`asc ${argv.join(' ')}\n${messages.join('')}${error?.message ?? ''}`);
  }
  if (messages.length > 0) console.warn(messages.join(''));
  return binary;
}

/** -O3 made a release a third larger and no faster, in V8 and JavaScriptCore (frames, lines, reordering). */
const RELEASE_ARGUMENTS = ['-O2', '--noAssert', '--converge'];

async function assembleCore({ source, shared, debug }: CoreBuild): Promise<Uint8Array> {
  return await assemble(
    [
      source.entry,
      ...(debug ? ['--debug'] : RELEASE_ARGUMENTS),
      ...(shared ? ['--enable', 'threads,simd', '--sharedMemory'] : ['--enable', 'simd']),
      ...MEMORY_ARGUMENTS,
      '--noExportMemory',
    ],
    { release: !debug },
  );
}

/** What a binary must be for several instances to work on one memory; returns the complaints. */
export function findFaults(binary: WasmBinary, debug: boolean): string[] {
  const faults: string[] = [];
  const others = binary.imports.filter((name) => name !== 'env.memory');
  if (others.length > 0) faults.push(`imports ${others.join(', ')}: the core has no host`);
  if (binary.dataSegments > 0) {
    faults.push('has a data segment: every instance would write it over the shared memory again');
  }
  if (binary.mutableGlobals > 0) {
    faults.push('has a mutable global: each instance would have its own');
  }
  if (binary.hasStart) faults.push('has a start function: it would run once an instance');
  if (!debug && binary.otherExports.length > 0) {
    faults.push(`exports ${binary.otherExports.join(', ')}, which are not functions`);
  }
  return faults;
}

const HOST_TYPES: Readonly<Record<ValueType, string>> = {
  i32: 'number',
  i64: 'bigint',
  f32: 'number',
  f64: 'number',
  v128: 'never',
};

/** The exports as a TypeScript interface; parameter names come from the debug binary. */
function describeExports(name: string, binary: WasmBinary): string {
  const lines = binary.functions.map(({ name, parameters, results, parameterNames }) => {
    const list = parameters.map((type, i) => {
      const known = (parameterNames[i] ?? '').split('|')[0];
      return `${known || `p${i}`}: ${HOST_TYPES[type]}`;
    });
    const result = results[0] === undefined ? 'void' : HOST_TYPES[results[0]];
    return `  ${name}(${list.join(', ')}): ${result};`;
  });
  return [
    '// Generated by build/core.ts from the compiled core.',
    `export interface ${name} {`,
    ...lines,
    '}',
    '',
  ].join('\n');
}

const signature = (type: FunctionType) => `(${type.parameters}) -> ${type.results}`;

function checkSameExports(binaries: readonly WasmBinary[]): void {
  const [first, ...rest] = binaries.map((binary) =>
    binary.functions.map((item) => `${item.name}${signature(item)}`).join('\n'),
  );
  if (rest.some((other) => other !== first)) {
    throw new Error('the four builds do not export the same functions');
  }
}

/** Builds everything that comes from assembly/, unless nothing it depends on has changed. */
export async function buildCore(): Promise<void> {
  const sources = (await listFiles('assembly')).filter((path) => path.endsWith('.ts'));
  const hash = await hashFiles([...sources, ...(await listFiles('build')), 'package-lock.json']);
  const outputs = [
    ...[CORE, NATIVE].flatMap((source) => [
      ...buildsOf(source).flatMap(({ file }) => [`dist/${file}.wasm`, `dist/generated/${file}.ts`]),
      `dist/generated/${source.describedIn}.ts`,
    ]),
    'dist/generated/layout.ts',
    'dist/core.wasm',
  ];
  const stamp = await readFile('dist/.core-hash', 'utf8').catch(() => '');
  const complete = (await Promise.all(outputs.map(exists))).every(Boolean);
  if (complete && stamp === hash) return;

  await buildModule(CORE);
  await buildModule(NATIVE);
  await writeIfChanged('dist/generated/layout.ts', await generateLayout());
  await writeIfChanged('dist/.core-hash', hash);
}

async function buildModule(source: ModuleSource): Promise<void> {
  const binaries: WasmBinary[] = [];
  const faults: string[] = [];
  for (const build of buildsOf(source)) {
    const bytes = await assembleCore(build);
    const binary = readWasm(bytes);
    binaries.push(binary);
    faults.push(...findFaults(binary, build.debug).map((fault) => `${build.file} ${fault}`));
    await writeIfChanged(`dist/${build.file}.wasm`, bytes);
    await writeIfChanged(
      `dist/generated/${build.file}.ts`,
      `// Generated by build/core.ts: dist/${build.file}.wasm\nexport default '${Buffer.from(bytes).toString('base64')}';\n`,
    );
    if (build.file === 'core.release') await writeIfChanged('dist/core.wasm', bytes);
    const excess = !build.debug && bytes.length > RELEASE_BYTES_MAX;
    const note = excess ? ` (more than the ${RELEASE_BYTES_MAX} it should have)` : '';
    console.log(`${build.file}.wasm: ${bytes.length} bytes${note}`);
  }
  if (faults.length > 0) throw new Error(faults.join('\n'));
  checkSameExports(binaries);
  await writeIfChanged(
    `dist/generated/${source.describedIn}.ts`,
    describeExports(source.described, binaries.at(-2) as WasmBinary),
  );
}
