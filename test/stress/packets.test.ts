import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type PacketPlan, packetSize, writePacket, writeWord } from '../../src/stress/packet.ts';
import { checkPattern, fillPattern } from '../../src/stress/pattern.ts';
import { Random } from '../../src/stress/random.ts';
import { PacketValidator, type Validation } from '../../src/stress/validator.ts';

const PLAN: PacketPlan = { instance: 0xdeadbe01, packets: 50, leastBytes: 12, mostBytes: 400 };
const CLEAN = { instance: true, whole: 50, doubled: 0, lost: 0, broken: 0, strayBytes: 0 };

function greeting(instance = PLAN.instance): Uint8Array {
  const bytes = new Uint8Array(4);
  writeWord(bytes, 0, instance);
  return bytes;
}

function packet(number: number): Uint8Array {
  const bytes = new Uint8Array(packetSize(PLAN, number));
  writePacket(bytes, 0, PLAN, number);
  return bytes;
}

const numbers = Array.from({ length: PLAN.packets }, (_, number) => number);

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

function validate(stream: Uint8Array, pieces: (left: number) => number): Omit<Validation, 'bytes'> {
  const validator = new PacketValidator(PLAN);
  for (let at = 0; at < stream.length; ) {
    const count = Math.min(pieces(stream.length - at), stream.length - at);
    validator.push(stream.subarray(at, at + count));
    at += count;
  }
  const { bytes, ...rest } = validator.end();
  assert.is(bytes, stream.length);
  return rest;
}

test('a stream that is whole, in any order and in any pieces', () => {
  const random = new Random(1);
  const stream = join(greeting(), ...numbers.toReversed().map(packet));
  assert.equal(
    validate(stream, (left) => left),
    CLEAN,
  );
  assert.equal(
    validate(stream, () => 1),
    CLEAN,
  );
  assert.equal(
    validate(stream, () => random.integer(1, 100)),
    CLEAN,
  );
});

test('a packet that is missing, one that comes twice, a foreign instance', () => {
  const all = numbers.map(packet);
  const missing = validate(join(greeting(), ...all.slice(1)), () => 64);
  assert.equal(missing, { ...CLEAN, whole: 49, lost: 1 });
  const twice = validate(join(greeting(), ...all, packet(7)), () => 64);
  assert.equal(twice, { ...CLEAN, doubled: 1 });
  const foreign = validate(join(greeting(17), ...all), () => 64);
  assert.equal(foreign, { ...CLEAN, instance: false, broken: 1, strayBytes: 4 });
});

test('two packets mixed are both lost, and the next is found again', () => {
  const [large, other] = numbers.filter((number) => packetSize(PLAN, number) > 100).map(packet) as [
    Uint8Array,
    Uint8Array,
  ];
  const rest = numbers.filter((number) => ![large, other].some((one) => one[8] === number));
  const mixed = join(
    large.subarray(0, 50),
    other.subarray(0, 60),
    large.subarray(50),
    other.subarray(60),
  );
  const seen = validate(join(greeting(), mixed, ...rest.map(packet)), () => 77);
  const strayBytes = large.length + other.length;
  assert.equal(seen, { ...CLEAN, whole: 48, lost: 2, broken: 1, strayBytes });
});

test('one byte that is wrong is one packet', () => {
  const wrong = packet(3);
  wrong[wrong.length - 1] = ~(wrong.at(-1) as number);
  const stream = join(greeting(), wrong, ...numbers.filter((number) => number !== 3).map(packet));
  const seen = validate(stream, () => 1000);
  assert.equal(seen, { ...CLEAN, whole: 49, lost: 1, broken: 1, strayBytes: wrong.length });
});

test('the pattern counts up and wraps; a gap is where it breaks off', () => {
  const bytes = new Uint8Array(1000);
  const next = fillPattern(bytes, 0, 1000, 5, 250);
  assert.is(next, (5 + 1000) % 251);
  assert.is(checkPattern(bytes, 0, 1000, 250), 1000);
  assert.is(checkPattern(bytes, 17, 40, 250), 40);
  assert.is(checkPattern(bytes, 0, 1000, 249), bytes.indexOf(250));
  bytes.copyWithin(100, 164, 228);
  assert.is(checkPattern(bytes, 0, 1000, 250), 100);
  bytes[300] = 251;
  assert.is(checkPattern(bytes, 300, 301, 250), 300, 'above the largest');
});

test.run();
