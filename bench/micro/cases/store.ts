/** The in-order store: numbers come in order, almost in order, and shuffled over the whole window. */
import { Core, ReorderBuffer } from '../../../src/core/index.ts';
import {
  CALLS,
  CORE,
  DIGEST_SEED,
  type MicroCase,
  mix,
  PLAIN,
  randomFrom,
  type Version,
  type Work,
} from '../case.ts';
import { driverOn } from '../driver.ts';
import { MapStore, PlainStore } from '../plain/store.ts';

const COUNT = 8192;
const ORDERS = ['in order', 'light', 'shuffled'] as const;
type Order = (typeof ORDERS)[number];

/** 0 to COUNT - 1; no number comes more than `window` - 1 early. */
function numbersOf(order: Order, window: number): Uint32Array<ArrayBuffer> {
  const numbers = Uint32Array.from({ length: COUNT }, (_, index) => index);
  const random = randomFrom(window);
  const swap = (a: number, b: number) => {
    const kept = numbers[a] as number;
    numbers[a] = numbers[b] as number;
    numbers[b] = kept;
  };
  if (order === 'light') {
    // One in ten overtakes its neighbour.
    for (let index = 0; index + 1 < COUNT; index += 2) if (random(5) === 0) swap(index, index + 1);
  } else if (order === 'shuffled') {
    for (let block = 0; block < COUNT; block += window) {
      for (let index = window - 1; index > 0; index--)
        swap(block + index, block + random(index + 1));
    }
  }
  return numbers;
}

function digestOf(out: ArrayLike<number>, from: number, count: number): number {
  let digest = DIGEST_SEED;
  for (let index = 0; index < count; index++) digest = mix(digest, out[from + index] as number);
  return digest;
}

function coreVersions(numbers: Uint32Array, window: number): Version[] {
  const core = Core.create({ memoryBytes: 2 ** 20 });
  const { exports, i32 } = core;
  const driver = driverOn(core);
  const input = core.reserve(COUNT * 4);
  core.u32.set(numbers, input >>> 2);
  const out = core.reserve(COUNT * 4);
  const [store, called] = [0, 1].map(() => ReorderBuffer.create(core, { window }).address) as [
    number,
    number,
  ];
  let [base, calledBase] = [0, 0];
  let done = 0;
  const digest = () => digestOf(i32, out >>> 2, done);
  return [
    {
      name: CORE,
      role: 'own',
      steps: 1,
      step() {
        done = driver.runStore(store, input, COUNT, base, out);
        base = (base + COUNT) >>> 0;
        return done;
      },
      digest,
    },
    {
      name: CALLS,
      role: 'own',
      steps: 1,
      step() {
        let at = out >>> 2;
        for (let index = 0; index < COUNT; index++) {
          const sequence = (calledBase + (numbers[index] as number)) | 0;
          let value = exports.storeGetNextLocked(called, sequence, index);
          while (value >= 0) {
            i32[at++] = value;
            value = exports.storeProcessAndGetNextLocked(called);
          }
        }
        calledBase = (calledBase + COUNT) >>> 0;
        done = at - (out >>> 2);
        return done;
      },
      digest,
    },
  ];
}

function plainVersion(numbers: Uint32Array, window: number): Version {
  const store = new PlainStore(window);
  const out = new Int32Array(COUNT);
  let base = 0;
  let done = 0;
  return {
    name: PLAIN,
    role: 'peer',
    steps: 1,
    step() {
      let at = 0;
      for (let index = 0; index < COUNT; index++) {
        let value = store.getNext((base + (numbers[index] as number)) | 0, index);
        while (value >= 0) {
          out[at++] = value;
          value = store.processAndGetNext();
        }
      }
      base = (base + COUNT) | 0;
      done = at;
      return at;
    },
    digest: () => digestOf(out, 0, done),
  };
}

export const MAP = 'Map';

function mapVersion(numbers: Uint32Array): Version {
  const store = new MapStore();
  const out = new Int32Array(COUNT);
  let base = 0;
  let done = 0;
  const process = (value: number) => {
    out[done++] = value;
  };
  return {
    name: MAP,
    role: 'peer',
    steps: 1,
    step() {
      done = 0;
      for (let index = 0; index < COUNT; index++) {
        store.put(base + (numbers[index] as number), index, process);
      }
      base += COUNT;
      return done;
    },
    digest: () => digestOf(out, 0, done),
  };
}

function open(order: Order, window: number): Work {
  const numbers = numbersOf(order, window);
  return {
    versions: [
      ...coreVersions(numbers, window),
      plainVersion(numbers, window),
      mapVersion(numbers),
    ],
    native: {
      kernel: 'store',
      numbers: [window, COUNT],
      input: new Uint8Array(numbers.buffer),
    },
  };
}

export const storeCases: readonly MicroCase[] = [16, 256, 4096].flatMap((window) =>
  ORDERS.map((order): MicroCase => {
    const promised = order === 'shuffled' && window === 256;
    return {
      id: `store/${window}/${order.replace(' ', '-')}`,
      section: 'Order',
      title: `In-order store, window ${window}, ${order}`,
      unit: 'item',
      labels: { window, input: order },
      promises: promised
        ? [
            { of: CORE, to: MAP, atLeast: 15 },
            { of: CORE, to: PLAIN, atLeast: 2 },
          ]
        : [],
      essential: promised,
      open: () => open(order, window),
    };
  }),
);
