/** Connections that do not come about, as the system itself says it. */
import * as assert from 'uvu/assert';
import { type Connection, connect, listen } from '../../../src/index.ts';
import { codeOf, within } from '../../conformance/context.ts';
import type { Case } from '../../conformance/suite.ts';
import { Peer } from '../../peer/process.ts';
import type { Quirks } from '../suite.ts';

/** More than a queue for one connection holds in any system. */
const ATTEMPTS = 20;
/** For documentation only (RFC 5737): no computer has it. */
const NOBODY = '192.0.2.1';
/** No stream can go to everybody: the system refuses without sending anything. */
const EVERYBODY = '255.255.255.255';

export function opening(program: string, quirks: Quirks): readonly Case[] {
  return [
    {
      name: 'a server that accepts nobody: TIMED_OUT, or CANCELED by the signal',
      async run(context) {
        const place = { host: '127.0.0.1', port: 0 };
        const options = { backlog: 0 };
        await using peer = await Peer.start(program, 'server', place, 'never-accept', options);
        const there = { ...(await peer.listening()), on: context.client };
        const queued: Connection[] = [];
        let code = 'nothing';
        while (code === 'nothing' && queued.length < ATTEMPTS) {
          const connecting = connect({ ...there, message: () => {}, connectTimeoutMs: 400 });
          code = await codeOf(connecting);
          if (code === 'nothing') queued.push(await connecting);
        }
        // Windows itself refuses where Linux keeps silent.
        const isWindows = process.platform === 'win32';
        assert.ok(code === 'TIMED_OUT' || (isWindows && code === 'REFUSED'), code);
        const controller = new AbortController();
        const connecting = connect({ ...there, signal: controller.signal });
        setTimeout(() => controller.abort(), 20);
        const called = await codeOf(connecting);
        assert.ok(called === 'CANCELED' || (isWindows && called === 'REFUSED'), called);
        await peer.openGate();
        await peer.success();
        // They were never accepted: nobody is left to answer their end.
        for (const connection of queued) connection.abort();
        await within('all closed', Promise.all(queued.map(({ closed }) => closed)));
      },
    },
    {
      name: 'an address that no stream reaches is UNREACHABLE, with the system’s own number',
      needs: () => !quirks.everythingIsRefused,
      async run(context) {
        const failure = await connect({ host: EVERYBODY, port: 9, on: context.client }).then(
          () => undefined,
          (error: unknown) => error as { code: string; cause?: { number: number; name?: string } },
        );
        assert.is(failure?.code, 'UNREACHABLE');
        assert.ok((failure?.cause?.number ?? 0) > 0);
        assert.type(failure?.cause?.name, 'string');
      },
    },
    {
      name: 'an address that is not of this computer cannot be listened at: UNREACHABLE',
      needs: () => !quirks.listenIsInvalid,
      async run(context) {
        assert.is(await codeOf(listen({ host: NOBODY, on: context.server })), 'UNREACHABLE');
      },
    },
  ];
}
