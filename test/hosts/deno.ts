import type { Host } from './host.ts';
import { findProgram, runProcess } from './process.ts';

export const deno: Host = {
  name: 'deno',
  suites: ['core', 'threads', 'workers', 'host'],
  install: 'run `npm ci`, which installs the package `deno` with its binary',
  find: () => findProgram('deno'),
  run: (program, options) =>
    runProcess(program, ['run', '--allow-all', '--no-lock', '--node-modules-dir=manual'], options, {
      DENO_NO_UPDATE_CHECK: '1',
      NO_COLOR: '1',
    }),
};
