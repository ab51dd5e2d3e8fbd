/** Slots with generations: taken, named by tokens, checked and given back. */
import { Core, Pool } from '../../../src/core/index.ts';
import { CALLS, CORE, DIGEST_SEED, type MicroCase, mix, PLAIN, type Work } from '../case.ts';
import { driverOn } from '../driver.ts';

const CAPACITY = 4096;

function digestTokens(tokens: Float64Array, from: number, count: number): number {
  let digest = DIGEST_SEED;
  for (let index = 0; index < count; index++) {
    const token = tokens[from + index] as number;
    digest = mix(mix(digest, Math.floor(token / 2 ** 20)), token % 2 ** 20);
  }
  return digest;
}

/** A free list in typed arrays, without threads. */
function plainPool(count: number) {
  const next = new Int32Array(CAPACITY).fill(-2);
  const generations = new Uint32Array(CAPACITY).fill(1);
  const tokens = new Float64Array(count);
  let head = -1;
  let fresh = 0;
  const run = () => {
    for (let index = 0; index < count; index++) {
      let slot = head;
      if (slot >= 0) head = next[slot] as number;
      else if (fresh < CAPACITY) slot = fresh++;
      else return 0;
      next[slot] = -2;
      tokens[index] = (generations[slot] as number) * 2 ** 20 + slot;
    }
    let done = 0;
    for (let index = 0; index < count; index++) {
      const token = tokens[index] as number;
      const generation = Math.floor(token / 2 ** 20);
      const slot = token - generation * 2 ** 20;
      if (slot >= fresh || generations[slot] !== generation || next[slot] !== -2) continue;
      generations[slot] = generation + 1;
      next[slot] = head;
      head = slot;
      done++;
    }
    return done;
  };
  return { tokens, run };
}

function open(shared: boolean, count: number): Work {
  const core = Core.create({ shared, memoryBytes: 2 ** 20 });
  const { exports, f64 } = core;
  const driver = driverOn(core);
  const [driven, called] = [0, 1].map(() => Pool.create(core, { capacity: CAPACITY }).address) as [
    number,
    number,
  ];
  const [drivenTokens, calledTokens] = [core.reserve(count * 8), core.reserve(count * 8)];
  const plain = plainPool(count);
  return {
    versions: [
      {
        name: CORE,
        role: 'own',
        steps: 1,
        step: () => driver.runPool(driven, drivenTokens, count),
        digest: () => digestTokens(f64, drivenTokens >>> 3, count),
      },
      {
        name: CALLS,
        role: 'own',
        steps: 1,
        step() {
          const first = calledTokens >>> 3;
          for (let index = 0; index < count; index++) {
            const slot = exports.poolAcquire(called);
            if (slot < 0) return 0;
            f64[first + index] = exports.poolToken(called, slot);
          }
          let done = 0;
          for (let index = 0; index < count; index++) {
            const slot = exports.poolCheck(called, f64[first + index] as number);
            if (slot >= 0 && exports.poolRelease(called, slot) === 0) done++;
          }
          return done;
        },
        digest: () => digestTokens(f64, calledTokens >>> 3, count),
      },
      {
        name: PLAIN,
        role: 'peer',
        steps: 1,
        step: plain.run,
        digest: () => digestTokens(plain.tokens, 0, count),
      },
    ],
    native: {
      kernel: 'pool',
      numbers: [CAPACITY, count, shared ? 1 : 0],
      input: new Uint8Array(0),
    },
  };
}

export const poolCases: readonly MicroCase[] = [false, true].flatMap((shared) =>
  [1, 256].map(
    (held): MicroCase => ({
      id: `pool/${shared ? 'shared' : 'unshared'}/${held}`,
      section: 'Pools',
      title: `Pool, ${held} held, ${shared ? 'shared' : 'unshared'} memory`,
      unit: 'slot',
      labels: { held, memory: shared ? 'shared' : 'unshared' },
      quick: held === 256,
      essential: held === 256 && !shared,
      open: () => open(shared, held),
    }),
  ),
);
