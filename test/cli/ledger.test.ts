/** The harness's accounts: every single fault shows as what it is, and as nothing else. */
import { Buffer } from 'node:buffer';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { emptyTally, Ledger, type Tally } from '../../src/cli/ledger.ts';
import { Packets, parseSize } from '../../src/cli/packets.ts';
import { parseFraming } from '../../src/framing.ts';

const FRAMINGS = ['u16le,inclusive', 'u16be', 'u32be', 'varint', 'line'];

/** Sends `count` packets and hands the copies that `server` makes of them back. */
function exchange(
  server: (packets: Buffer[]) => Buffer[],
  framing = 'u16le,inclusive',
  count = 10,
): Tally {
  const packets = new Packets(parseFraming(framing), { min: 20, max: 400 }, 7);
  const tally = emptyTally();
  const ledger = new Ledger(3, count, packets, tally);
  const sent = Array.from({ length: count }, () => {
    const packet = Buffer.from(ledger.next());
    ledger.markSent(0);
    return packet;
  });
  for (const reply of server(sent)) {
    const memory = Buffer.concat([Buffer.alloc(5), reply, Buffer.alloc(5)]);
    ledger.reply(memory, 5, reply.length, 1);
  }
  ledger.end();
  return tally;
}

function faults(tally: Tally): Partial<Tally> {
  const { sequenceMismatches, contentMismatches, duplicates, lost } = tally;
  return { sequenceMismatches, contentMismatches, duplicates, lost };
}

const CLEAN = { sequenceMismatches: 0, contentMismatches: 0, duplicates: 0, lost: 0 };

for (const framing of FRAMINGS) {
  test(`${framing}: a true echo is clean`, () => {
    const tally = exchange((packets) => packets, framing);
    assert.equal(faults(tally), CLEAN);
    assert.equal([tally.sent, tally.received], [10, 10]);
    assert.is(tally.bytesSent, tally.bytesReceived);
  });

  test(`${framing}: any changed byte is a content mismatch, or one of the number too`, () => {
    for (let at = 0; at < 19; at++) {
      const tally = exchange((packets) => {
        (packets[4] as Buffer)[at] = ((packets[4] as Buffer)[at] as number) ^ 0x55;
        return packets;
      }, framing);
      assert.ok(tally.contentMismatches >= 1, `byte ${at}`);
    }
  });
}

test('one dropped: one lost, and one gap', () => {
  const tally = exchange((packets) => packets.toSpliced(4, 1));
  assert.equal(faults(tally), { ...CLEAN, sequenceMismatches: 1, lost: 1 });
});

test('the last one dropped: one lost', () => {
  assert.equal(faults(exchange((packets) => packets.slice(0, -1))), { ...CLEAN, lost: 1 });
});

test('two swapped: two out of order', () => {
  const tally = exchange((packets) => packets.toSpliced(4, 2, packets[5]!, packets[4]!));
  assert.equal(faults(tally), { ...CLEAN, sequenceMismatches: 2 });
});

test('one doubled: one duplicate, out of order', () => {
  const tally = exchange((packets) => packets.toSpliced(4, 0, packets[4]!));
  assert.equal(faults(tally), { ...CLEAN, sequenceMismatches: 1, duplicates: 1 });
});

test('a changed byte of the content: one content mismatch', () => {
  const tally = exchange((packets) => {
    const packet = packets[4] as Buffer;
    packet[packet.length - 1] = (packet.at(-1) as number) ^ 1;
    return packets;
  });
  assert.equal(faults(tally), { ...CLEAN, contentMismatches: 1 });
});

test('a changed number: one of each, and the message is lost', () => {
  const tally = exchange((packets) => {
    (packets[4] as Buffer)[7] = 0x7f;
    return packets;
  });
  const expected = { ...CLEAN, sequenceMismatches: 1, contentMismatches: 1, lost: 1 };
  assert.equal(faults(tally), expected);
});

test('the number of another connection: one of each, and the message is lost', () => {
  const tally = exchange((packets) => {
    (packets[4] as Buffer)[0] = 4;
    return packets;
  });
  const expected = { ...CLEAN, sequenceMismatches: 1, contentMismatches: 1, lost: 1 };
  assert.equal(faults(tally), expected);
});

test('one cut short or grown: one content mismatch', () => {
  const cut = exchange((packets) => packets.with(4, packets[4]!.subarray(0, -1)));
  assert.equal(faults(cut), { ...CLEAN, contentMismatches: 1 });
  const grown = exchange((packets) =>
    packets.with(4, Buffer.concat([packets[4]!, Buffer.alloc(1)])),
  );
  assert.equal(faults(grown), { ...CLEAN, contentMismatches: 1 });
});

test('fragments of two packets interleaved: content mismatches', () => {
  const tally = exchange((packets) => {
    const [a, b] = [packets[4]!, packets[5]!];
    const head = 12;
    return packets.toSpliced(
      4,
      2,
      Buffer.concat([a.subarray(0, head), b.subarray(head)]),
      Buffer.concat([b.subarray(0, head), a.subarray(head)]),
    );
  });
  assert.equal(faults(tally), { ...CLEAN, contentMismatches: 2 });
});

test('a packet that nobody sent: one of each', () => {
  const tally = exchange((packets) => packets.toSpliced(4, 0, Buffer.alloc(9, 0xee)));
  assert.equal(faults(tally), { ...CLEAN, sequenceMismatches: 1, contentMismatches: 1 });
});

test('replies shorter than the numbers are mismatches, not crashes', () => {
  const tally = exchange(() => [Buffer.alloc(0), Buffer.alloc(7)]);
  assert.equal(faults(tally), {
    ...CLEAN,
    sequenceMismatches: 2,
    contentMismatches: 2,
    lost: 10,
  });
});

test('mixed sizes reach from the smallest to 65,535 bytes on the wire', () => {
  const packets = new Packets(parseFraming('u16le,inclusive'), 'mixed', 1);
  const sizes = Array.from({ length: 5000 }, (_, i) => packets.size(2, i) + 2);
  assert.equal([sizes[0], sizes[1]], [10, 65_535]);
  assert.ok(sizes.every((size) => size >= 10 && size <= 65_535));
  const below = (limit: number) => sizes.filter((size) => size < limit).length;
  // Log-uniform: each factor of ten has about as many as the next.
  assert.ok(
    below(100) > 900 && below(1000) - below(100) > 900 && sizes.length - below(10_000) > 700,
  );
});

test('sizes follow from the seed', () => {
  const sizes = (seed: number) => {
    const packets = new Packets(parseFraming('u16be'), 'mixed', seed);
    return Array.from({ length: 20 }, (_, i) => packets.size(0, i)).join();
  };
  assert.is(sizes(5), sizes(5));
  assert.is.not(sizes(5), sizes(6));
});

test('a line carries no line break', () => {
  const packets = new Packets(parseFraming('line'), 'mixed', 1);
  for (let i = 0; i < 50; i++) {
    const packet = packets.make(i, i);
    assert.ok(packet.every((byte) => byte > 32 && byte < 127));
  }
});

test('what a framing cannot carry is refused, with what it can', () => {
  const u8 = parseFraming('u8');
  assert.throws(() => new Packets(u8, { min: 5, max: 9 }, 1), /allowed: 9 to 256 bytes/);
  assert.throws(() => new Packets(u8, { min: 9, max: 257 }, 1), /allowed: 9 to 256 bytes/);
  assert.throws(() => new Packets(parseFraming('raw'), 'mixed', 1), /not 'raw'/);
});

test('sizes as text', () => {
  assert.equal(parseSize('20'), { min: 20, max: 20 });
  assert.equal(parseSize('20-300'), { min: 20, max: 300 });
  assert.is(parseSize('mixed'), 'mixed');
  for (const wrong of ['', '0', '9-3', '-3', '3-', 'big', '1e3'])
    assert.is(parseSize(wrong), undefined);
});

test.run();
