/** Asks a system's headers: compiles a C file to assembly and reads the answers there. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** Whose headers are asked, and by what. */
export interface HeaderSource {
  readonly compiler: string;
  readonly source: string;
  /** The Debian package that has the compiler. */
  readonly package: string;
}

export const WINDOWS_HEADERS: HeaderSource = {
  compiler: 'x86_64-w64-mingw32-gcc',
  source: 'test/native/headers.c',
  package: 'gcc-mingw-w64-x86-64',
};
export const LINUX_HEADERS: HeaderSource = {
  compiler: 'gcc',
  source: 'test/native/linux-headers.c',
  package: 'gcc',
};
const COMPILE_LIMIT_MS = 60_000;

/** Labels and the numbers that follow each. */
export type Answers = ReadonlyMap<string, readonly bigint[]>;

export interface Headers {
  readonly answers: Answers;
  /** Every function declared: its result's type, then its parameters'. */
  readonly functions: ReadonlyMap<string, readonly string[]>;
}

/** There is no compiler here. */
export class CompilerMissing extends Error {}

/**
 * @param declarations lines of macros of the C file
 * @throws CompilerMissing; Error with the compiler's words if a name is not in the headers
 */
export async function askHeaders(
  declarations: readonly string[],
  { compiler, source, package: debian }: HeaderSource = WINDOWS_HEADERS,
): Promise<Headers> {
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-headers-'));
  try {
    const [file, assembly, prototypes] = ['declarations.h', 'answers.s', 'prototypes.txt'].map(
      (name) => join(folder, name),
    ) as [string, string, string];
    await writeFile(file, declarations.join('\n'));
    const argv = ['-S', '-Wall', '-Werror', `-DDECLARATIONS="${file}"`, '-aux-info', prototypes];
    try {
      await promisify(execFile)(compiler, [...argv, '-o', assembly, resolve(source)], {
        timeout: COMPILE_LIMIT_MS,
      });
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      // Deno says NotFound.
      if (code === 'ENOENT' || code === 'NotFound') {
        throw new CompilerMissing(`${compiler} is not installed (Debian: ${debian})`);
      }
      throw new Error(`${compiler} does not compile ${source}:\n${stderr ?? error}`);
    }
    return {
      answers: readAnswers(await readFile(assembly, 'utf8')),
      functions: readPrototypes(await readFile(prototypes, 'utf8')),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readAnswers(assembly: string): Answers {
  const answers = new Map<string, bigint[]>();
  let current: bigint[] = [];
  for (const line of assembly.split('\n')) {
    const label = /^(\w+):/.exec(line);
    const quad = /^\s+\.quad\s+(-?\d+)$/.exec(line);
    const zeros = /^\s+\.(?:space|zero)\s+(\d+)$/.exec(line);
    if (label?.[1] !== undefined) {
      current = [];
      answers.set(label[1], current);
    } else if (quad?.[1] !== undefined) current.push(BigInt(quad[1]));
    else if (zeros?.[1] !== undefined) current.push(...Array(Number(zeros[1]) / 8).fill(0n));
  }
  return answers;
}

/** Lines such as `… extern int bind (SOCKET, const struct sockaddr *, int);`. */
function readPrototypes(text: string): Map<string, readonly string[]> {
  const functions = new Map<string, readonly string[]>();
  // Parameters that are function pointers have brackets of their own; none of ours is written so.
  for (const line of text.matchAll(/ extern ([^()]+?)(\w+) \(([^()]*)\);$/gm)) {
    const [, result = '', name = '', parameters = ''] = line;
    const types = parameters.split(',').map((type) => type.trim());
    functions.set(name, [result.trim(), ...(parameters === 'void' ? [] : types)]);
  }
  return functions;
}
