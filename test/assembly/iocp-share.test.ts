/** Packets that several threads dequeue: what becomes of each, and what is found of a thread that ends in between. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { CompletionQueue } from '../../src/core/completion-queue.ts';
import type { Core } from '../../src/core/core.ts';
import { type NativeExports, nativeOf } from '../../src/core/native.ts';
import { createCore } from '../support/primitives.ts';
import { forEachVariant, type MakeCore } from '../support/variants.ts';

/** Where the process is said to have the memory: above 2^32, as it is. */
const BASE = 0x7ff0_0000_0000;
const OPERATIONS = 16;
const HANDLES = 4;
const ENTRIES = 16;
const STATUS_CANCELLED = 0xc0000120;
const { IocpPort, IocpEntry, IocpHandle, Operation } = layout;

/** A port with a seat, and nobody who dequeues but the test. */
class Bench {
  readonly core: Core;
  readonly native: NativeExports;
  readonly completions: CompletionQueue;
  readonly looks: CompletionQueue;
  readonly operations: number;
  readonly handles: number;
  readonly entries: number;
  readonly seat: number;
  /** Of other submissions, and not read. */
  readonly #submission: number;
  #generation = 0;

  constructor(makeCore: MakeCore) {
    const core = createCore(makeCore);
    this.core = core;
    this.native = nativeOf(core);
    this.completions = CompletionQueue.create(core, { capacity: 64 });
    this.looks = CompletionQueue.create(core, { capacity: 64 });
    this.operations = core.reserve(OPERATIONS * layout.OPERATION_BYTES);
    this.handles = core.reserve(HANDLES * layout.IOCP_HANDLE_BYTES);
    this.entries = core.reserve(ENTRIES * layout.IOCP_ENTRY_BYTES);
    this.seat = core.reserve(layout.IOCP_PORT_BYTES);
    this.#submission = core.reserve(layout.SUBMISSION_BYTES);
    this.put(this.seat, IocpPort.base, BASE % 2 ** 32);
    this.put(this.seat, IocpPort.base + 4, Math.floor(BASE / 2 ** 32));
    this.put(this.seat, IocpPort.operations, this.operations);
    this.put(this.seat, IocpPort.operationCount, OPERATIONS);
    this.put(this.seat, IocpPort.completions, this.completions.address);
    this.put(this.seat, IocpPort.entries, this.entries);
    this.put(this.seat, IocpPort.handles, this.handles);
    this.put(this.seat, IocpPort.handleCount, HANDLES);
    this.put(this.seat, IocpPort.looks, this.looks.address);
  }

  put(record: number, field: number, value: number): void {
    this.core.u32[(record + field) >>> 2] = value;
  }

  get(record: number, field: number): number {
    return this.core.u32[(record + field) >>> 2] as number;
  }

  handle(handle: number): number {
    return this.handles + handle * layout.IOCP_HANDLE_BYTES;
  }

  pending(handle: number): [number, number] {
    const record = this.handle(handle);
    return [this.get(record, IocpHandle.pending), this.get(record, IocpHandle.sends)];
  }

  /** A transfer that the system has. Returns its token. */
  begin(kind: number, slot: number, handle: number): number {
    const token = ++this.#generation * 2 ** 20 + slot;
    const { Submission } = layout;
    const at = this.#submission;
    this.put(at, Submission.kind, kind);
    this.put(at, Submission.handle, handle);
    this.core.f64[(at + Submission.token) >>> 3] = token;
    this.put(at, Submission.offset, 4096);
    this.put(at, Submission.length, 512);
    this.put(at, Submission.operation, slot);
    this.native.iocpPrepare(this.seat, at, 1);
    return token;
  }

  /** What the system answers to a dequeue. */
  dequeue(packets: readonly { slot: number; key: number; bytes: number; status?: number }[]): void {
    for (const [index, { slot, key, bytes, status = 0 }] of packets.entries()) {
      const entry = this.entries + index * layout.IOCP_ENTRY_BYTES;
      const record = this.operations + slot * layout.OPERATION_BYTES;
      if (slot >= 0) this.put(record, Operation.internal, status);
      const overlapped = slot < 0 ? 0 : BASE + record;
      this.put(entry, IocpEntry.key, key);
      this.put(entry, IocpEntry.key + 4, 0);
      this.put(entry, IocpEntry.overlapped, overlapped % 2 ** 32);
      this.put(entry, IocpEntry.overlapped + 4, Math.floor(overlapped / 2 ** 32));
      this.put(entry, IocpEntry.bytes, bytes);
      this.put(entry, IocpEntry.reserved, 0);
    }
    this.put(this.seat, IocpPort.removed, packets.length);
  }

  share(): number {
    return this.native.iocpShare(this.seat);
  }

  reported(): [token: number, result: number][] {
    const found: [number, number][] = [];
    for (let each = this.completions.pop(); each !== undefined; each = this.completions.pop()) {
      found.push([each.token, each.result]);
    }
    return found;
  }

  left(): { slot: number; key: number; bytes: number }[] {
    const found = [];
    for (let each = this.looks.pop(); each !== undefined; each = this.looks.pop()) {
      const slot = (each.token - BASE - this.operations) / layout.OPERATION_BYTES;
      found.push({ slot: each.token === 0 ? -1 : slot, key: each.flags, bytes: each.result });
    }
    return found;
  }
}

const keyOf = (handle: number) => layout.IOCP_KEY_HANDLES + handle;
const { OPERATION_RECEIVE: RECEIVE, OPERATION_SEND: SEND } = layout;

forEachVariant((name, makeCore) => {
  test(`${name}: plain packets become completions, and are counted off`, () => {
    const bench = new Bench(makeCore);
    const received = bench.begin(RECEIVE, 3, 1);
    const sent = bench.begin(SEND, 4, 1);
    bench.begin(RECEIVE, 5, 1);
    const posted = bench.begin(layout.OPERATION_POST, 6, 0);
    assert.equal(bench.pending(1), [3, 1]);
    bench.dequeue([
      { slot: 3, key: keyOf(1), bytes: 100 },
      { slot: 4, key: keyOf(1), bytes: 512 },
      { slot: 6, key: layout.IOCP_KEY_POST, bytes: 0 },
    ]);
    assert.is(bench.share(), 0);
    assert.equal(bench.reported(), [
      [received, 100],
      [sent, 512],
      [posted, 0],
    ]);
    assert.equal(bench.left(), []);
    assert.equal(bench.pending(1), [1, 0]);
    // Nothing is taken twice.
    assert.is(bench.share(), 0);
    assert.equal(bench.reported(), []);
  });

  test(`${name}: what the driver must look at is left to it, and still counted as due`, () => {
    const bench = new Bench(makeCore);
    for (const slot of [0, 1, 2, 3]) bench.begin(RECEIVE, slot, 2);
    bench.put(
      bench.operations + 7 * layout.OPERATION_BYTES,
      Operation.kind,
      layout.OPERATION_CONNECT,
    );
    const failed = { slot: 0, key: keyOf(2), bytes: 0, status: STATUS_CANCELLED };
    const ended = { slot: 1, key: keyOf(2), bytes: 0 };
    const connected = { slot: 7, key: keyOf(3), bytes: 0 };
    const foreign = { slot: 2, key: keyOf(HANDLES), bytes: 9 };
    bench.dequeue([failed, ended, connected, foreign]);
    assert.is(bench.share(), 4);
    assert.equal(bench.reported(), []);
    const { status: _, ...seen } = failed;
    assert.equal(bench.left(), [seen, ended, connected, foreign]);
    assert.equal(bench.pending(2), [4, 0]);
  });

  test(`${name}: packets of a handle that closes go to the driver`, () => {
    const bench = new Bench(makeCore);
    bench.begin(SEND, 0, 1);
    bench.put(bench.handle(1), IocpHandle.watched, 1);
    bench.dequeue([{ slot: 0, key: keyOf(1), bytes: 512 }]);
    assert.is(bench.share(), 1);
    assert.equal(bench.left(), [{ slot: 0, key: keyOf(1), bytes: 512 }]);
    assert.equal(bench.pending(1), [1, 1]);
  });

  test(`${name}: a packet that only ends a wait is passed on`, () => {
    const bench = new Bench(makeCore);
    const received = bench.begin(RECEIVE, 0, 0);
    bench.dequeue([
      { slot: -1, key: layout.IOCP_KEY_WAKE, bytes: 0 },
      { slot: 0, key: keyOf(0), bytes: 8 },
    ]);
    assert.is(bench.share(), layout.IOCP_WOKEN);
    assert.equal(bench.reported(), [[received, 8]]);
  });

  test(`${name}: a thread that ended before it came to its packets: whoever asks next gets them`, () => {
    const bench = new Bench(makeCore);
    const tokens = [0, 1, 2].map((slot) => bench.begin(RECEIVE, slot, 1));
    bench.dequeue([0, 1, 2].map((slot) => ({ slot, key: keyOf(1), bytes: slot + 1 })));
    // The first is dealt with.
    bench.put(bench.seat, IocpPort.next, 1);
    assert.is(bench.share(), 0);
    assert.equal(bench.reported(), [
      [tokens[1], 2],
      [tokens[2], 3],
    ]);
  });

  for (const isTaken of [false, true]) {
    const when = isTaken ? 'and its record is another operation by now' : 'and nobody has taken it';
    test(`${name}: a thread that ended between push and count: counted once, ${when}`, () => {
      const bench = new Bench(makeCore);
      const token = bench.begin(SEND, 0, 1);
      bench.dequeue([{ slot: 0, key: keyOf(1), bytes: 5 }]);
      // As `settle` leaves it behind its push.
      bench.core.f64[(bench.entries + IocpEntry.internal) >>> 3] = token;
      bench.put(bench.entries, IocpEntry.reserved, SEND + 1);
      if (isTaken) bench.begin(RECEIVE, 0, 1);
      assert.is(bench.share(), 0);
      // The second one of a token is stale; of another operation there must be none.
      assert.equal(bench.reported(), isTaken ? [] : [[token, 5]]);
      assert.equal(bench.pending(1), isTaken ? [1, 0] : [0, 0]);
      assert.is(bench.get(bench.entries, IocpEntry.reserved), 0);
    });
  }

  test(`${name}: the last packet of a handle that closes meanwhile: the driver is told`, () => {
    const bench = new Bench(makeCore);
    const token = bench.begin(SEND, 0, 1);
    bench.dequeue([{ slot: 0, key: keyOf(1), bytes: 5 }]);
    // It was plain when it was looked at; the driver closes before it is counted off.
    bench.core.f64[(bench.entries + IocpEntry.internal) >>> 3] = token;
    bench.put(bench.entries, IocpEntry.reserved, SEND + 1);
    bench.put(bench.handle(1), IocpHandle.watched, 1);
    assert.is(bench.share(), 1);
    assert.equal(bench.reported(), [[token, 5]]);
    assert.equal(bench.left(), [{ slot: -1, key: keyOf(1), bytes: 0 }]);
  });
});

test.run();
