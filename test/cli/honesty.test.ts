/** The harness against servers that do wrong: it reports exactly that. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Outcome, runHarness } from './run-cli.ts';

const MESSAGES = 60;
/** Which packet of each connection is treated wrongly. */
const VICTIM = 20;

/** What a server makes of packet `index`: the packets to send now. */
type Fault = (packet: Buffer, index: number, socket: Socket) => Buffer[];

/** An echo server of u16le,inclusive packets that passes each one through `fault`. */
async function withServer(fault: Fault, argv: readonly string[] = []): Promise<Outcome> {
  const server = createServer((socket) => {
    let rest = Buffer.alloc(0);
    let index = 0;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= rest.readUInt16LE()) {
        const size = rest.readUInt16LE();
        for (const packet of fault(Buffer.from(rest.subarray(0, size)), index, socket)) {
          socket.write(packet);
        }
        rest = rest.subarray(size);
        index++;
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const common = ['--messages', String(MESSAGES), '--connections', '1', '--timeout', '2500'];
  const outcome = await runHarness(port, [...common, '--size', '30-500', ...argv]);
  server.close();
  return outcome;
}

/** The counts that differ from those of a true echo. */
function found({ json }: Outcome): Record<string, unknown> {
  const clean: Record<string, unknown> = {
    held: true,
    sent: MESSAGES,
    received: MESSAGES,
    sequenceMismatches: 0,
    contentMismatches: 0,
    duplicates: 0,
    lost: 0,
  };
  return Object.fromEntries(
    Object.keys(clean).flatMap((key) => (json?.[key] === clean[key] ? [] : [[key, json?.[key]]])),
  );
}

test('a true echo', async () => {
  const outcome = await withServer((packet) => [packet]);
  assert.equal(found(outcome), {});
  assert.equal(outcome.json?.errors, {});
  assert.is(outcome.exit, 0);
});

test('one packet dropped', async () => {
  const outcome = await withServer((packet, index) => (index === VICTIM ? [] : [packet]));
  const expected = { held: false, received: MESSAGES - 1, sequenceMismatches: 1, lost: 1 };
  assert.equal(found(outcome), expected);
  assert.is(outcome.exit, 1);
});

test('the last packet dropped', async () => {
  const outcome = await withServer((packet, index) => (index === MESSAGES - 1 ? [] : [packet]));
  assert.equal(found(outcome), { held: false, received: MESSAGES - 1, lost: 1 });
  assert.is(outcome.exit, 1);
});

test('two packets swapped', async () => {
  let held: Buffer | undefined;
  const outcome = await withServer((packet, index) => {
    if (index === VICTIM) held = packet;
    if (index === VICTIM) return [];
    return index === VICTIM + 1 ? [packet, held as Buffer] : [packet];
  });
  assert.equal(found(outcome), { held: false, sequenceMismatches: 2 });
  assert.is(outcome.exit, 1);
});

test('one packet doubled', async () => {
  const outcome = await withServer((packet, index) =>
    index === VICTIM ? [packet, packet] : [packet],
  );
  const expected = { held: false, received: MESSAGES + 1, sequenceMismatches: 1, duplicates: 1 };
  assert.equal(found(outcome), expected);
  assert.is(outcome.exit, 1);
});

test('the last packet doubled', async () => {
  const outcome = await withServer((packet, index) =>
    index === MESSAGES - 1 ? [packet, packet] : [packet],
  );
  const expected = { held: false, received: MESSAGES + 1, sequenceMismatches: 1, duplicates: 1 };
  assert.equal(found(outcome), expected);
  assert.is(outcome.exit, 1);
});

test('one byte of content changed', async () => {
  const outcome = await withServer((packet, index) => {
    if (index === VICTIM) packet[packet.length - 1] = (packet.at(-1) as number) ^ 0x80;
    return [packet];
  });
  assert.equal(found(outcome), { held: false, contentMismatches: 1 });
  assert.is(outcome.exit, 1);
});

test('a sequence number changed', async () => {
  const outcome = await withServer((packet, index) => {
    if (index === VICTIM) packet.writeUInt32LE(0xffff_ff00, 6);
    return [packet];
  });
  const expected = { held: false, sequenceMismatches: 1, contentMismatches: 1, lost: 1 };
  assert.equal(found(outcome), expected);
  assert.is(outcome.exit, 1);
});

test('a packet cut short', async () => {
  const outcome = await withServer((packet, index) => {
    if (index !== VICTIM) return [packet];
    packet.writeUInt16LE(packet.length - 3);
    return [packet.subarray(0, -3)];
  });
  assert.equal(found(outcome), { held: false, contentMismatches: 1 });
});

test('silence: everything in flight is lost', async () => {
  const outcome = await withServer(() => [], ['--in-flight', '7']);
  assert.equal(found(outcome), { held: false, sent: 7, received: 0, lost: 7 });
  assert.is(outcome.exit, 1);
});

test('a reset is an error, not an end', async () => {
  const outcome = await withServer((packet, index, socket) => {
    // Later than its last data: libuv reports data and a reset in one event as data and an end.
    if (index === VICTIM) setTimeout(() => socket.resetAndDestroy(), 200);
    return index < VICTIM ? [packet] : [];
  });
  assert.equal(outcome.json?.errors, { RESET: 1 }, JSON.stringify(outcome));
  assert.ok((outcome.json?.lost as number) > 0);
  assert.is(outcome.exit, 1);
});

test('an early end loses what is outstanding', async () => {
  const outcome = await withServer((packet, index, socket) => {
    if (index === VICTIM) socket.end();
    return index < VICTIM ? [packet] : [];
  });
  assert.is(outcome.json?.received, VICTIM);
  assert.ok((outcome.json?.lost as number) > 0);
  assert.is(outcome.exit, 1);
});

test.run();
