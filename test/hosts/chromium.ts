/** Chromium without a window: a page of ours loads the bundle in a worker and posts its lines back. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from './host.ts';
import { servePage } from './page.ts';
import { findProgram, killTree, start } from './process.ts';

export const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const chromium: Host = {
  name: 'chromium',
  suites: ['core'],
  install: 'install Chromium or Google Chrome (Debian: apt-get install chromium)',
  find: () => findProgram('chromium', 'chromium-browser', 'google-chrome'),
  async run(program, options) {
    const profile = await mkdtemp(join(tmpdir(), 'overlapped-chromium-'));
    const page = await servePage(options);
    const argv = [...FLAGS, `--user-data-dir=${profile}`, page.url];
    const child = start(program, argv, options.signal);
    // Its own messages are of no interest, but its pipes must not fill.
    child.stdout?.resume();
    let messages = '';
    child.stderr?.on('data', (chunk) => {
      messages = (messages + chunk).slice(-2000);
    });
    const exited = once(child, 'exit').then(([code, signal]) => ({ exit: code ?? signal }));
    const result = await Promise.race([page.ended.then(() => ({ exit: 0 })), exited]);
    if (result.exit !== 0 && !options.signal.aborted) options.line(messages);
    killTree(child);
    await exited;
    page.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    return result;
  },
};
