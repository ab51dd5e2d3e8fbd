import { type Host, WINDOWS_ONLY } from './host.ts';
import { findProgram, runProcess } from './process.ts';

export const bun: Host = {
  name: 'bun',
  suites: ['core', 'threads', 'workers', 'host', ...WINDOWS_ONLY],
  install: 'run `npm ci`, which installs the package `bun` with its binary',
  find: () => findProgram('bun'),
  run: (program, options) => runProcess(program, ['run'], options),
};
