/**
 * The declarations of `backends/iocp` against mingw-w64's headers: every
 * constant, size, offset and error number, and every function's parameters.
 * What is asked is made from the declarations themselves, so nothing can be
 * left out; a name that the headers do not have does not compile.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import * as constants from '../../backends/iocp/constants.ts';
import { STATUS_ROWS, WIN32_ROWS, WINSOCK_ROWS } from '../../backends/iocp/errors.ts';
import { type Koffi, loadExtensions, loadWin32, type Win32 } from '../../backends/iocp/win32.ts';
import { type Answers, askHeaders, CompilerMissing, type Headers } from '../native/headers.ts';
import { environment } from '../support/environment.ts';

type RecordLayout = Readonly<Record<string, number>>;

const numbers = new Map<string, number>();
const guids = new Map<string, readonly number[]>();
const records = new Map<string, RecordLayout>();
for (const [name, value] of Object.entries(constants)) {
  if (typeof value === 'number') numbers.set(name, value);
  else if (Array.isArray(value)) guids.set(name, value);
  else records.set(name, value as RecordLayout);
}
const errors = [...WINSOCK_ROWS, ...WIN32_ROWS, ...STATUS_ROWS].map(
  ([name, number]) => [name, number] as const,
);

/** A foreign function as it was declared to koffi: its result's type, then its parameters'. */
type Declared = readonly string[];

/** The functions of `win32.ts`, by way of a koffi that only takes notes. */
function declaredFunctions(): Map<string, Declared> {
  const functions = new Map<string, Declared>();
  const declare = (name: string, result: string, parameters: readonly string[]) => {
    functions.set(name, [result, ...parameters]);
    return () => 0;
  };
  const koffi = {
    load: () => ({ func: declare }),
    proto: (result: string, parameters: readonly string[]) => [result, ...parameters],
    decode: (_pointer: unknown, prototype: Declared) => prototype,
  } as unknown as Koffi;
  const win32: Win32 = loadWin32(koffi);
  for (const [name, prototype] of Object.entries(loadExtensions(koffi, win32, 0))) {
    functions.set(name, prototype as unknown as Declared);
  }
  return functions;
}

const functions = declaredFunctions();

/** What each of koffi's types may stand for: bytes, and GCC's class of a C type. */
const INTEGER = 1n;
const POINTER = 5n;
const KOFFI_TYPES: Readonly<
  Record<string, { readonly bytes: bigint; readonly classes: readonly bigint[] }>
> = {
  intptr_t: { bytes: 8n, classes: [INTEGER, POINTER] },
  uintptr_t: { bytes: 8n, classes: [INTEGER, POINTER] },
  'void *': { bytes: 8n, classes: [POINTER] },
  str16: { bytes: 8n, classes: [POINTER] },
  int: { bytes: 4n, classes: [INTEGER] },
  uint32_t: { bytes: 4n, classes: [INTEGER] },
  uint16_t: { bytes: 2n, classes: [INTEGER] },
  uint8_t: { bytes: 1n, classes: [INTEGER] },
};
/** What is deliberately declared with another sign than C's. */
const OTHER_SIGN = new Set(['ioctlsocket 2']);
/** SOCKET and HANDLE: unsigned or a pointer in C, signed here so that the invalid one is -1. */
const HANDLE_TYPES = new Set(['SOCKET', 'HANDLE']);

const dataQuestions = [
  ...[...numbers.keys()].map((name) => `NUMBER(${name})`),
  ...errors.filter(([name]) => !numbers.has(name)).map(([name]) => `NUMBER(${name})`),
  ...[...guids.keys()].map((name) => `GUID_OF(${name})`),
  ...[...records].flatMap(([record, fields]) =>
    Object.keys(fields).map((field) =>
      field === '$size' ? `RECORD_SIZE(${record})` : `FIELD(${record}, ${field})`,
    ),
  ),
];

/** Undefined where there is no compiler; in CI that is a failure. */
async function ask(questions: readonly string[]): Promise<Headers | undefined> {
  try {
    return await askHeaders(questions);
  } catch (error) {
    if (!(error instanceof CompilerMissing) || environment('CI') === 'true') throw error;
    console.log(`not compared with the headers: ${error.message}`);
    return undefined;
  }
}

const headers = await ask(dataQuestions);
const compared = headers === undefined ? test.skip : test;

function answer(answers: Answers, label: string): readonly bigint[] {
  const found = answers.get(label);
  if (found === undefined) throw new Error(`no answer about ${label}`);
  return found;
}

function numberOf(label: string): bigint {
  return answer((headers as Headers).answers, label)[0] as bigint;
}

/** The invalid SOCKET and HANDLE are all ones in 64 bits; all else here has 32, of either sign. */
const WIDE = new Set(['INVALID_SOCKET', 'INVALID_HANDLE_VALUE']);

function sameNumber(name: string, ours: number): void {
  const theirs = numberOf(`number_${name}`);
  if (WIDE.has(name)) assert.is(ours, Number(theirs), name);
  else assert.is(ours >>> 0, Number(BigInt.asUintN(32, theirs)), name);
}

test('there is something to compare', () => {
  assert.ok(numbers.size > 60, `${numbers.size} constants`);
  assert.ok(records.size >= 10, `${records.size} records`);
  assert.is(guids.size, 3);
  assert.ok(functions.size > 30, `${functions.size} functions`);
});

compared('every constant is what the headers say', () => {
  for (const [name, value] of numbers) sameNumber(name, value);
});

compared('every error number belongs to its name', () => {
  for (const [name, number] of errors) sameNumber(name, number);
});

compared('every GUID lies in memory as the headers have it', () => {
  for (const [name, bytes] of guids) {
    const [data1, data2, data3, ...data4] = answer((headers as Headers).answers, `guid_${name}`);
    const view = new DataView(new ArrayBuffer(16));
    view.setUint32(0, Number(data1), true);
    view.setUint16(4, Number(data2), true);
    view.setUint16(6, Number(data3), true);
    for (const [index, byte] of data4.entries()) view.setUint8(8 + index, Number(byte));
    assert.equal([...bytes], [...new Uint8Array(view.buffer)], name);
  }
});

compared('every record has its size and its fields where the headers have them', () => {
  for (const [record, fields] of records) {
    for (const [field, offset] of Object.entries(fields)) {
      const label = field === '$size' ? `size_${record}` : `offset_${record}__${field}`;
      assert.is(offset, Number(numberOf(label)), `${record}.${field}`);
    }
  }
});

/** Fields of the core's records that Windows reads or writes, by the C field each must be. */
const OVERLAYS: readonly {
  readonly ours: string;
  readonly record: RecordLayout;
  readonly theirs: string;
  /** Where the C record begins in ours. */
  readonly at: number;
  readonly fields: Readonly<Record<string, string>>;
}[] = [
  {
    ours: 'Operation',
    record: layout.Operation,
    theirs: 'OVERLAPPED',
    at: 0,
    fields: {
      internal: 'Internal',
      internalHigh: 'InternalHigh',
      overlappedOffset: 'Offset',
      overlappedOffsetHigh: 'OffsetHigh',
      event: 'hEvent',
    },
  },
  {
    ours: 'Operation',
    record: layout.Operation,
    theirs: 'WSABUF',
    at: layout.Operation.bufferLength,
    fields: { bufferLength: 'len', bufferAddress: 'buf' },
  },
  {
    ours: 'IocpEntry',
    record: layout.IocpEntry,
    theirs: 'OVERLAPPED_ENTRY',
    at: 0,
    fields: {
      key: 'lpCompletionKey',
      overlapped: 'lpOverlapped',
      internal: 'Internal',
      bytes: 'dwNumberOfBytesTransferred',
    },
  },
];

test("the core's records lie over Windows' own", () => {
  for (const { ours, record, theirs, at, fields } of OVERLAYS) {
    const foreign = records.get(theirs) as RecordLayout;
    for (const [field, name] of Object.entries(fields)) {
      assert.is(record[field], at + (foreign[name] as number), `${ours}.${field}`);
    }
    const named = new Set([...Object.values(fields), '$size']);
    assert.equal(
      Object.keys(foreign).filter((name) => !named.has(name)),
      [],
      `${theirs}: a field without a place`,
    );
  }
});

test('the records have the room that Windows takes', () => {
  const { OVERLAPPED, WSABUF, OVERLAPPED_ENTRY, sockaddr_storage } = constants;
  const { Operation } = layout;
  assert.is(Operation.bufferLength, OVERLAPPED.$size);
  assert.is(Operation.bytes, Operation.bufferLength + WSABUF.$size);
  assert.is(layout.IOCP_ENTRY_BYTES, OVERLAPPED_ENTRY.$size);
  assert.ok(layout.OPERATION_SOCKADDR >= Operation.$size);
  assert.is(layout.OPERATION_SOCKADDR % 8, 0);
  assert.ok(layout.OPERATION_SOCKADDR + sockaddr_storage.$size <= layout.OPERATION_BYTES);
  for (const { $size } of [constants.sockaddr_in, constants.sockaddr_in6]) {
    assert.ok($size <= sockaddr_storage.$size);
  }
});

const signatures =
  headers === undefined
    ? undefined
    : await ask(
        [...functions.keys()].flatMap((name) =>
          (headers.functions.get(name) ?? []).map((type, at) =>
            type === 'void' ? '' : `TYPE(${name}_${at}, ${type})`,
          ),
        ),
      );

compared('every function has the parameters that the headers give it', () => {
  const { functions: prototypes } = headers as Headers;
  const { answers } = signatures as Headers;
  for (const [name, declared] of functions) {
    const prototype = prototypes.get(name);
    if (prototype === undefined) throw new Error(`the headers do not declare ${name}`);
    assert.is(declared.length, prototype.length, `${name}: number of parameters`);
    for (const [at, type] of declared.entries()) {
      const what = `${name} ${at}: ${type} for ${prototype[at]}`;
      if (type === 'void' || prototype[at] === 'void') {
        assert.is(type, prototype[at], what);
        continue;
      }
      const expected = KOFFI_TYPES[type];
      if (expected === undefined) throw new Error(`${what}: unknown type`);
      const [bytes, kind, signed] = answer(answers, `type_${name}_${at}`) as [
        bigint,
        bigint,
        bigint,
      ];
      assert.is(bytes, expected.bytes, `${what}: size`);
      assert.ok(expected.classes.includes(kind), `${what}: class ${kind}`);
      assert.is(type === 'intptr_t', HANDLE_TYPES.has(prototype[at] as string), `${what}: handle`);
      if (kind !== INTEGER || type === 'intptr_t' || OTHER_SIGN.has(`${name} ${at}`)) continue;
      assert.is(type === 'int', signed === 1n, `${what}: sign`);
    }
  }
});

test.run();
