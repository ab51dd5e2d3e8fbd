import process from 'node:process';
import { type Host, WINDOWS_ONLY } from './host.ts';
import { runProcess } from './process.ts';

export const node: Host = {
  name: 'node',
  suites: [
    'core',
    'threads',
    'workers',
    'host',
    ...WINDOWS_ONLY,
    'examples',
    'cli',
    'bench',
    'model',
  ],
  install: 'install Node.js from https://nodejs.org',
  find: async () => process.execPath,
  run: (program, options) => runProcess(program, ['--enable-source-maps'], options),
};
