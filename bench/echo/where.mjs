// @ts-check
/** Where the benchmark's programs lie: this file is bundled, they are started as they are. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LOAD_SOURCE = join('bench', 'echo', 'load.c');

/** @returns {string} */
function findRoot() {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, LOAD_SOURCE))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`${LOAD_SOURCE} is not part of this installation`);
    folder = parent;
  }
  return folder;
}

/** The repository's or the installed package's folder. */
export const packageRoot = findRoot();

/**
 * A file of the echo benchmark.
 * @param {...string} path
 */
export const echoFile = (...path) => join(packageRoot, 'bench', 'echo', ...path);

export const loadSource = echoFile('load.c');

/**
 * Version of a package as the servers would import it; undefined where it is not installed.
 * @param {string} name
 * @returns {string | undefined}
 */
export function packageVersion(name) {
  for (let folder = packageRoot; ; folder = dirname(folder)) {
    const file = join(folder, 'node_modules', name, 'package.json');
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version;
    if (folder === dirname(folder)) return undefined;
  }
}
