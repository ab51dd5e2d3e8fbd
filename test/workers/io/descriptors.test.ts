/** What threads that died had open is given back: a process does not run out of descriptors by them. */
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { environment } from '../../support/environment.ts';
import { driversOf, inTime, withThread } from './one-thread.ts';
import { openClient } from './servers.ts';

const backend = { name: 'uring', options: {} };
const DEATHS = Number(environment('DEATHS') ?? 12);
const ENDS = ['exit', 'throw', 'terminate'] as const;
const LOOKS = 3000;

/** How many descriptors of each kind the process has: sockets, eventfds, rings. */
function countDescriptors(): Map<string, number> {
  const kinds = new Map<string, number>();
  for (const fd of readdirSync('/proc/self/fd')) {
    let kind: string;
    try {
      kind = readlinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]$/, '');
    } catch {
      // The one that the folder was read by.
      continue;
    }
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

/** Deno keeps one of each for every thread that has loaded koffi, whatever that does. */
function hostKeeps(kind: string): number {
  return 'Deno' in globalThis && /eventpoll|eventfd/.test(kind) ? DEATHS : 0;
}

/** What there is more of than before, once all is given back that will be. */
async function grown(before: Map<string, number>): Promise<string> {
  let more = '';
  for (let look = 0; look < LOOKS; look++) {
    more = [...countDescriptors()]
      .filter(([kind, count]) => count > (before.get(kind) ?? 0) + hostKeeps(kind))
      .map(([kind, count]) => `${kind}: ${before.get(kind) ?? 0} -> ${count}`)
      .join(', ');
    if (more === '') break;
    await sleep(10);
  }
  return more;
}

for (const driver of await driversOf(backend)) {
  const how = { isBlocking: driver === 'blocking', waitMs: 10 };

  for (const end of ENDS) {
    test(`uring, ${driver}: ${DEATHS} workers that die (${end}) leave no descriptor`, async () => {
      const die = () =>
        withThread(backend, how, async ({ thread, port }) => {
          const client = await openClient(port, 'net');
          await inTime('answer', client.ask('here'));
          if (end === 'terminate') await thread.terminate();
          else client.send(`${end} it`);
          await inTime('end', client.ended());
          await inTime('death', thread.joined);
          await client.close();
        });
      // What the host itself opens with the first threads stays.
      for (let i = 0; i < 3; i++) await die();
      await sleep(50);
      const before = countDescriptors();
      for (let i = 0; i < DEATHS; i++) await die();
      assert.is(await grown(before), '');
    });
  }
}

test.run();
