/**
 * The declarations of `backends/uring` against Linux's headers: every constant,
 * size and offset, every function's parameters, and the core's records that the
 * kernel reads and writes. A name that the headers do not have does not compile.
 */
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { ERRNO_ROWS } from '../../backends/errno.ts';
import * as constants from '../../backends/uring/constants.ts';
import { type Koffi, loadLibc } from '../../backends/uring/libc.ts';
import {
  type Answers,
  askHeaders,
  CompilerMissing,
  type Headers,
  LINUX_HEADERS,
} from '../native/headers.ts';
import { environment } from '../support/environment.ts';

type RecordLayout = Readonly<Record<string, number>>;

const numbers = new Map<string, number>();
const records = new Map<string, RecordLayout>();
for (const [name, value] of Object.entries(constants)) {
  if (typeof value === 'number') numbers.set(name, value);
  else records.set(name, value as RecordLayout);
}

const errors = ERRNO_ROWS.filter(([, , linux]) => linux !== 0).map(
  ([name, , linux]) => [name, linux] as const,
);

/** A foreign function as it was declared to koffi: its result's type, then its parameters'. */
const functions = new Map<string, readonly string[]>();
loadLibc({
  load: () => ({
    func: (name: string, result: string, parameters: readonly string[]) => {
      functions.set(name, [result, ...parameters]);
      return () => 0;
    },
  }),
} as unknown as Koffi);
// Variadic: what it takes are system calls' parameters, which the man pages have.
functions.delete('syscall');
functions.delete('fcntl');

/** Fields of the core's records, by the C field that each must be. */
const OVERLAYS: readonly {
  readonly ours: string;
  readonly record: RecordLayout;
  readonly sizeBytes?: number;
  readonly theirs: string;
  readonly fields: Readonly<Record<string, string>>;
}[] = [
  {
    ours: 'UringSqe',
    record: layout.UringSqe,
    sizeBytes: layout.URING_SQE_BYTES,
    theirs: 'io_uring_sqe',
    fields: {
      opcode: 'opcode',
      flags: 'flags',
      priority: 'ioprio',
      fd: 'fd',
      offset: 'off',
      address: 'addr',
      length: 'len',
      operationFlags: 'msg_flags',
      userData: 'user_data',
      bufferGroup: 'buf_group',
      personality: 'personality',
      fileIndex: 'file_index',
      address3: 'addr3',
    },
  },
  {
    ours: 'UringCqe',
    record: layout.UringCqe,
    sizeBytes: layout.URING_CQE_BYTES,
    theirs: 'io_uring_cqe',
    fields: { userData: 'user_data', result: 'res', flags: 'flags' },
  },
  {
    ours: 'UringBuffer',
    record: layout.UringBuffer,
    sizeBytes: layout.URING_BUFFER_BYTES,
    theirs: 'io_uring_buf',
    fields: { address: 'addr', length: 'len', id: 'bid', tail: 'resv' },
  },
  {
    ours: 'UringBuffer',
    record: layout.UringBuffer,
    theirs: 'io_uring_buf_ring',
    fields: { tail: 'tail' },
  },
  {
    ours: 'UringMessage',
    record: layout.UringMessage,
    theirs: 'msghdr',
    fields: {
      name: 'msg_name',
      nameLength: 'msg_namelen',
      vector: 'msg_iov',
      vectorLength: 'msg_iovlen',
      control: 'msg_control',
      controlLength: 'msg_controllen',
      flags: 'msg_flags',
    },
  },
];

const questions = [
  ...[...numbers.keys(), ...errors.map(([name]) => name)].map((name) => `NUMBER(${name})`),
  ...[...records].flatMap(([record, fields]) =>
    Object.keys(fields).map((field) =>
      field === '$size' ? `RECORD_SIZE(${record})` : `FIELD(${record}, ${field})`,
    ),
  ),
  ...OVERLAYS.flatMap(({ theirs, fields }) => [
    `RECORD_SIZE(${theirs})`,
    ...Object.values(fields).map((field) => `FIELD(${theirs}, ${field})`),
  ]),
];

/** Undefined where there is nothing to compile with; in CI on Linux that is a failure. */
async function ask(declarations: readonly string[]): Promise<Headers | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    return await askHeaders([...new Set(declarations)], LINUX_HEADERS);
  } catch (error) {
    if (!(error instanceof CompilerMissing) || environment('CI') === 'true') throw error;
    console.log(`not compared with the headers: ${error.message}`);
    return undefined;
  }
}

const headers = await ask(questions);
const compared = headers === undefined ? test.skip : test;

function answer(answers: Answers, label: string): readonly bigint[] {
  const found = answers.get(label);
  if (found === undefined) throw new Error(`no answer about ${label}`);
  return found;
}

const numberOf = (label: string) => Number(answer((headers as Headers).answers, label)[0]);

test('there is something to compare', () => {
  assert.ok(numbers.size > 80, `${numbers.size} constants`);
  assert.ok(records.size >= 12, `${records.size} records`);
  assert.ok(functions.size >= 15, `${functions.size} functions`);
});

compared('every constant is what the headers say', () => {
  for (const [name, value] of numbers) assert.is(value, numberOf(`number_${name}`), name);
});

compared('every record has its size and its fields where the headers have them', () => {
  for (const [record, fields] of records) {
    for (const [field, offset] of Object.entries(fields)) {
      const label = field === '$size' ? `size_${record}` : `offset_${record}__${field}`;
      assert.is(offset, numberOf(label), `${record}.${field}`);
    }
  }
});

compared("the core's records lie over Linux's own", () => {
  for (const { ours, record, sizeBytes, theirs, fields } of OVERLAYS) {
    if (sizeBytes !== undefined) assert.is(sizeBytes, numberOf(`size_${theirs}`), ours);
    for (const [field, name] of Object.entries(fields)) {
      assert.is(record[field], numberOf(`offset_${theirs}__${name}`), `${ours}.${field}`);
    }
  }
});

compared('the records have the room that Linux takes', () => {
  const { Operation, UringMessage } = layout;
  assert.ok(UringMessage.$size <= Operation.token, 'a msghdr ends before the token');
  assert.is(numberOf('size_msghdr'), UringMessage.$size);
  const room = layout.URING_OPERATION_VECTOR - layout.OPERATION_SOCKADDR;
  assert.ok(constants.sockaddr_storage.$size <= room, 'a name ends before the iovec');
  assert.ok(constants.sockaddr_un.$size <= room);
  const end = layout.URING_OPERATION_VECTOR + constants.iovec.$size;
  assert.ok(end <= layout.OPERATION_BYTES);
});

compared("the core's own numbers are the same", async () => {
  const source = await readFile('assembly/native/uring.ts', 'utf8');
  const found = [...source.matchAll(/^const ([A-Z][A-Z0-9_]+): [ui]32 = (\w+);$/gm)];
  assert.ok(found.length > 10, `${found.length} constants`);
  const known = new Map([...numbers, ['IOSQE_BUFFER_SELECT', 32]]);
  for (const [, name = '', text] of found) {
    // How many buffers are provided is not Linux's to say.
    if (name.startsWith('BUFFERS_')) continue;
    if (name === 'SOCKADDR_ROOM') assert.is(Number(text), constants.sockaddr_storage.$size);
    else assert.is(Number(text), known.get(name), name);
  }
});

compared('every error number of Linux belongs to its name', () => {
  for (const [name, number] of errors) assert.is(number, numberOf(`number_${name}`), name);
});

const signatures =
  headers === undefined
    ? undefined
    : await ask(
        [...functions.keys()].flatMap((name) =>
          (headers.functions.get(name) ?? []).map((type, at) => `TYPE(${name}_${at}, ${type})`),
        ),
      );

const INTEGER = 1n;
const POINTER = 5n;
/** What each of koffi's types may stand for: bytes, GCC's class of a C type, and its sign. */
const KOFFI_TYPES: Readonly<
  Record<string, { readonly bytes: bigint; readonly kind: bigint; readonly signed: boolean }>
> = {
  uintptr_t: { bytes: 8n, kind: POINTER, signed: false },
  intptr_t: { bytes: 8n, kind: POINTER, signed: false },
  'void *': { bytes: 8n, kind: POINTER, signed: false },
  size_t: { bytes: 8n, kind: INTEGER, signed: false },
  long: { bytes: 8n, kind: INTEGER, signed: true },
  int: { bytes: 4n, kind: INTEGER, signed: true },
  uint32_t: { bytes: 4n, kind: INTEGER, signed: false },
};

compared('every function has the parameters that the headers give it', () => {
  for (const [name, declared] of functions) {
    const prototype = (headers as Headers).functions.get(name);
    if (prototype === undefined) throw new Error(`the headers do not declare ${name}`);
    assert.is(declared.length, prototype.length, `${name}: number of parameters`);
    for (const [at, type] of declared.entries()) {
      const what = `${name} ${at}: ${type} for ${prototype[at]}`;
      const expected = KOFFI_TYPES[type];
      if (expected === undefined) throw new Error(`${what}: unknown type`);
      const [bytes, kind, signed] = answer((signatures as Headers).answers, `type_${name}_${at}`);
      assert.is(bytes, expected.bytes, `${what}: size`);
      assert.is(kind, expected.kind, `${what}: class`);
      if (kind === INTEGER) assert.is(signed === 1n, expected.signed, `${what}: sign`);
    }
  }
});

test.run();
