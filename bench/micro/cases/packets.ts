/** What the kernels report, read out of linear memory: packets of a completion port, CQEs of io_uring. */
import * as layout from '#generated/layout';
import { Core } from '../../../src/core/index.ts';
import { nativeOf } from '../../../src/core/native.ts';
import { CORE, DIGEST_SEED, type MicroCase, mix, PLAIN, type Version, type Work } from '../case.ts';

const OPERATIONS = 1024;
/** Where linear memory would lie in the process. */
const BASE = 0x7f12_3456_0000;
const OPERATION_WORDS = layout.OPERATION_BYTES / 4;
const COMPLETION_WORDS = layout.COMPLETION_BYTES / 4;
const SEND_BYTES = 64;
const EMPTY_POSITION = 0;

/** Records of sends in `words`, the first at word `first`. */
function fillOperations(words: Uint32Array, doubles: Float64Array, first: number): void {
  const { Operation } = layout;
  for (let slot = 0; slot < OPERATIONS; slot++) {
    const at = first + slot * OPERATION_WORDS;
    words[at + Operation.kind / 4] = layout.OPERATION_SEND;
    words[at + Operation.length / 4] = SEND_BYTES;
    doubles[(at >>> 1) + Operation.token / 8] = 2 ** 20 + slot;
  }
}

/** Which operation the packet `index` is of: not in order, as it is in life. */
function slotOf(index: number, count: number): number {
  return (index * 37) % Math.min(count, OPERATIONS);
}

function overlappedEntries(count: number, operations: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(count * layout.IOCP_ENTRY_BYTES));
  const { IocpEntry } = layout;
  for (let index = 0; index < count; index++) {
    const at = index * layout.IOCP_ENTRY_BYTES;
    const record = BASE + operations + slotOf(index, count) * layout.OPERATION_BYTES;
    view.setBigUint64(at + IocpEntry.key, BigInt(layout.IOCP_KEY_HANDLES), true);
    view.setBigUint64(at + IocpEntry.overlapped, BigInt(record), true);
    view.setUint32(at + IocpEntry.bytes, (index % SEND_BYTES) + 1, true);
  }
  return new Uint8Array(view.buffer);
}

function cqes(count: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(count * layout.URING_CQE_BYTES));
  const { UringCqe } = layout;
  for (let index = 0; index < count; index++) {
    const at = index * layout.URING_CQE_BYTES;
    view.setBigUint64(at + UringCqe.userData, BigInt(2 ** 20 + slotOf(index, count)), true);
    view.setInt32(at + UringCqe.result, (index % SEND_BYTES) + 1, true);
  }
  return new Uint8Array(view.buffer);
}

function digestCompletions(
  words: Int32Array | Uint32Array,
  doubles: Float64Array,
  first: number,
  count: number,
  pending: number,
): number {
  const { Completion } = layout;
  let digest = DIGEST_SEED;
  for (let index = 0; index < count; index++) {
    const at = first + index * COMPLETION_WORDS;
    const token = doubles[(at >>> 1) + Completion.token / 8] as number;
    digest = mix(mix(digest, token | 0), Math.floor(token / 2 ** 32));
    digest = mix(digest, words[at + Completion.result / 4] as number);
  }
  return mix(digest, pending);
}

/** The core's queue, emptied between two batches by setting its positions back. */
function placeCore(count: number, handleBytes: number) {
  const core = Core.create({ memoryBytes: 2 ** 21 });
  const { exports } = core;
  const operations = core.reserve(OPERATIONS * layout.OPERATION_BYTES);
  fillOperations(core.u32, core.f64, operations >>> 2);
  const queue = core.reserve(layout.QUEUE_BYTES);
  const log2 = Math.ceil(Math.log2(count + 1));
  const cells = core.reserve(layout.COMPLETION_BYTES << log2);
  exports.queueInit(queue, cells, log2);
  const handle = core.reserve(handleBytes);
  return { core, operations, queue, cells, handle };
}

function iocpVersion(count: number): { version: Version; entries: Uint8Array; offset: number } {
  const { core, operations, queue, cells, handle } = placeCore(count, layout.IOCP_HANDLE_BYTES);
  const { u32, f64 } = core;
  const native = nativeOf(core);
  const { IocpPort, IocpHandle } = layout;
  const entriesAt = core.reserve(count * layout.IOCP_ENTRY_BYTES);
  const entries = overlappedEntries(count, operations);
  core.u8.set(entries, entriesAt);
  const port = core.reserve(layout.IOCP_PORT_BYTES);
  new DataView(core.memory.buffer).setBigUint64(port + IocpPort.base, BigInt(BASE), true);
  u32[(port + IocpPort.operations) >>> 2] = operations;
  u32[(port + IocpPort.operationCount) >>> 2] = OPERATIONS;
  u32[(port + IocpPort.completions) >>> 2] = queue;
  u32[(port + IocpPort.entries) >>> 2] = entriesAt;
  u32[(port + IocpPort.handles) >>> 2] = handle;
  u32[(port + IocpPort.handleCount) >>> 2] = 1;
  const pending = (handle + IocpHandle.pending) >>> 2;
  const sends = (handle + IocpHandle.sends) >>> 2;
  const [enqueue, dequeue] = [layout.QUEUE_ENQUEUE, layout.QUEUE_DEQUEUE].map(
    (field) => (queue + field) >>> 2,
  ) as [number, number];
  const version: Version = {
    name: CORE,
    role: 'own',
    steps: 1,
    step() {
      u32[pending] = count;
      u32[sends] = count;
      u32[enqueue] = EMPTY_POSITION;
      u32[dequeue] = EMPTY_POSITION;
      return native.iocpReap(port, 0, count);
    },
    digest: () => digestCompletions(u32, f64, cells >>> 2, count, u32[pending] as number),
  };
  return { version, entries, offset: BASE + operations };
}

function uringVersion(count: number): { version: Version; entries: Uint8Array } {
  const { core, operations, queue, cells, handle } = placeCore(count, layout.URING_HANDLE_BYTES);
  const { u32, f64 } = core;
  const native = nativeOf(core);
  const { UringPort, UringHandle } = layout;
  const entries = cqes(count);
  const ring = core.reserve(count * layout.URING_CQE_BYTES);
  core.u8.set(entries, ring);
  const head = core.reserve(64);
  const port = core.reserve(layout.URING_PORT_BYTES);
  new DataView(core.memory.buffer).setBigUint64(port + UringPort.base, BigInt(BASE), true);
  const put = (field: number, value: number) => {
    u32[(port + field) >>> 2] = value;
  };
  put(UringPort.operations, operations);
  put(UringPort.operationCount, OPERATIONS);
  put(UringPort.completions, queue);
  put(UringPort.handles, handle);
  put(UringPort.cqHead, head);
  put(UringPort.cqes, ring);
  put(UringPort.cqMask, count - 1);
  const pending = (handle + UringHandle.pending) >>> 2;
  const sends = (handle + UringHandle.sends) >>> 2;
  const [enqueue, dequeue] = [layout.QUEUE_ENQUEUE, layout.QUEUE_DEQUEUE].map(
    (field) => (queue + field) >>> 2,
  ) as [number, number];
  const version: Version = {
    name: CORE,
    role: 'own',
    steps: 1,
    step() {
      u32[pending] = count;
      u32[sends] = count;
      u32[enqueue] = EMPTY_POSITION;
      u32[dequeue] = EMPTY_POSITION;
      u32[head >>> 2] = 0;
      if (native.uringReap(port, count) !== 0) return 0;
      return u32[head >>> 2] as number;
    },
    digest: () => digestCompletions(u32, f64, cells >>> 2, count, u32[pending] as number),
  };
  return { version, entries };
}

/** The same by hand. `offset`: where the first OVERLAPPED lies in the process; 0 for io_uring. */
function plainVersion(entries: Uint8Array, count: number, offset: number): Version {
  const words = new Uint32Array(entries.slice().buffer);
  const operations = new Uint32Array(OPERATIONS * OPERATION_WORDS);
  const tokens = new Float64Array(operations.buffer);
  fillOperations(operations, tokens, 0);
  const completions = new Int32Array(count * COMPLETION_WORDS);
  const completionTokens = new Float64Array(completions.buffer);
  const handle = new Uint32Array(4);
  const KIND = layout.Operation.kind / 4;
  const TOKEN = layout.Operation.token / 8;
  let done = 0;
  const complete = (record: number, result: number) => {
    handle[0] = (handle[0] as number) - 1;
    handle[1] = (handle[1] as number) - 1;
    const at = done++ * COMPLETION_WORDS;
    completionTokens[(at >>> 1) + 1] = tokens[(record >>> 1) + TOKEN] as number;
    completions[at + 1] = 0;
    completions[at + 4] = result;
    completions[at + 5] = layout.NOTHING;
    completions[at + 6] = 0;
    completions[at + 7] = 0;
  };
  const packet = (index: number): boolean => {
    const at = index * 8;
    const distance = (words[at + 3] as number) * 2 ** 32 + (words[at + 2] as number) - offset;
    if (distance < 0 || distance >= OPERATIONS * 256 || (distance & 255) !== 0) return false;
    const record = distance >>> 2;
    if (operations[record] !== 0 || operations[record + KIND] !== layout.OPERATION_SEND)
      return false;
    if (words[at] !== layout.IOCP_KEY_HANDLES || words[at + 1] !== 0) return false;
    if (handle[3] !== 0) return false;
    complete(record, words[at + 6] as number);
    return true;
  };
  const cqe = (index: number): boolean => {
    const at = index * 4;
    const high = words[at + 1] as number;
    const low = words[at] as number;
    const slot = low & (2 ** 20 - 1);
    if (high >>> 20 !== 0 || slot >= OPERATIONS) return false;
    const record = slot * OPERATION_WORDS;
    if (tokens[(record >>> 1) + TOKEN] !== high * 2 ** 32 + low) return false;
    const result = (words[at + 2] as number) | 0;
    if (result < 0 || operations[record + KIND] !== layout.OPERATION_SEND) return false;
    if (handle[3] !== 0) return false;
    complete(record, result);
    return true;
  };
  const take = offset === 0 ? cqe : packet;
  return {
    name: PLAIN,
    role: 'peer',
    steps: 1,
    step() {
      handle[0] = count;
      handle[1] = count;
      done = 0;
      for (let index = 0; index < count; index++) if (!take(index)) break;
      return done;
    },
    digest: () => digestCompletions(completions, completionTokens, 0, done, handle[0] as number),
  };
}

function open(uring: boolean, count: number): Work {
  if (uring) {
    const { version, entries } = uringVersion(count);
    return {
      versions: [version, plainVersion(entries, count, 0)],
      native: { kernel: 'packets', numbers: [1, count, OPERATIONS, 0], input: entries },
    };
  }
  const { version, entries, offset } = iocpVersion(count);
  return {
    versions: [version, plainVersion(entries, count, offset)],
    native: { kernel: 'packets', numbers: [0, count, OPERATIONS, offset], input: entries },
  };
}

export const packetCases: readonly MicroCase[] = [false, true].flatMap((uring) =>
  [16, 256].map(
    (count): MicroCase => ({
      id: `packets/${uring ? 'uring' : 'iocp'}/${count}`,
      section: 'Native structures',
      title: uring ? `${count} CQEs of io_uring` : `${count} OVERLAPPED_ENTRYs`,
      unit: 'packet',
      labels: { system: uring ? 'io_uring' : 'iocp', batch: count },
      quick: count === 256,
      essential: count === 256,
      open: () => open(uring, count),
    }),
  ),
);
