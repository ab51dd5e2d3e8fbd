/** The checker behind bench/workers sees what goes wrong: a benchmark must not look away. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Checker,
  handledBy,
  MESSAGE_BYTES,
  makeNotes,
  verdictOf,
  writeMessage,
} from '../../bench/workers/checker.mjs';

const CONNECTIONS = 3;
const MESSAGES = 4;
const WORKERS = 2;
const WORDS = MESSAGE_BYTES / 4;
const CLEAN = { disorders: 0, repeats: 0, overlaps: 0, strays: 0, damaged: 0, missing: 0 };

type Message = readonly [connection: number, number: number];

/** Every connection's messages, each in order. */
function inOrder(): Message[] {
  const numbers = Array.from({ length: MESSAGES }, (_, number) => number);
  return numbers.flatMap((number) =>
    Array.from({ length: CONNECTIONS }, (_, connection) => [connection, number] as const),
  );
}

interface Run {
  readonly spoil?: (words: Uint32Array, index: number) => void;
  /** In the middle of the handler of each message. */
  readonly during?: (index: number, other: Checker, words: Uint32Array) => void;
  readonly idOf?: (connection: number) => number;
}

/** Has workers handle the messages in turn. */
function judge(messages: readonly Message[], { spoil, during, idOf }: Run = {}) {
  const notes = makeNotes(CONNECTIONS, MESSAGES, WORKERS);
  const checkers = [new Checker(notes, 0), new Checker(notes, 1)] as const;
  messages.forEach(([connection, number], index) => {
    const words = new Uint32Array(WORDS);
    writeMessage(words, 0, connection, number);
    spoil?.(words, index);
    const [checker, other] = index % 2 === 0 ? checkers : [checkers[1], checkers[0]];
    const id = idOf?.(connection) ?? connection + 100;
    checker.handle(words, 0, id, () => during?.(index, other, words));
    checker.handled(1);
  });
  return { verdict: verdictOf(notes), handled: handledBy(notes) };
}

test('messages in order by any worker are clean, and counted by worker', () => {
  const { verdict, handled } = judge(inOrder());
  assert.equal(verdict, CLEAN);
  assert.equal(handled, [6, 6]);
});

test('two messages of one connection that changed places are seen', () => {
  const messages = inOrder();
  const [first, second] = [messages[3], messages[6]] as [Message, Message];
  assert.equal([first[0], second[0]], [0, 0]);
  messages[3] = second;
  messages[6] = first;
  const { verdict } = judge(messages);
  assert.ok(verdict.disorders > 0);
  assert.equal({ ...verdict, disorders: 0 }, CLEAN);
});

test('messages of different connections may change places', () => {
  const messages = inOrder();
  const [first, second] = [messages[0], messages[1]] as [Message, Message];
  messages[0] = second;
  messages[1] = first;
  assert.equal(judge(messages).verdict, CLEAN);
});

test('a message that comes twice is seen', () => {
  const messages = inOrder();
  const { verdict } = judge([...messages, messages[0] as Message]);
  assert.is(verdict.repeats, 1);
  assert.is(verdict.missing, 0);
});

test('a message that never comes is seen, the last one too', () => {
  assert.equal(judge(inOrder().slice(0, -1)).verdict, { ...CLEAN, missing: 1 });
  const { verdict } = judge(inOrder().slice(1));
  assert.is(verdict.missing, 1);
  assert.ok(verdict.disorders > 0);
});

test('a second handler at work on a connection is seen', () => {
  const { verdict } = judge(inOrder(), {
    during(index, other) {
      if (index !== 0) return;
      const words = new Uint32Array(WORDS);
      writeMessage(words, 0, 0, 1);
      other.handle(words, 0, 100, () => {});
    },
  });
  assert.is(verdict.overlaps, 1);
});

test('bytes of another message, and a number that there is not, are seen', () => {
  const torn = judge(inOrder(), {
    spoil(words, index) {
      if (index === 5) words[1] = (words[1] as number) ^ 1;
    },
  });
  assert.is(torn.verdict.damaged, 1);
  const wild = judge(inOrder(), {
    spoil(words, index) {
      if (index === 5) writeMessage(words, 0, CONNECTIONS, 0);
    },
  });
  assert.is(wild.verdict.damaged, 1);
});

test('a message that comes by another connection is seen', () => {
  let calls = 0;
  const { verdict } = judge(inOrder(), {
    idOf: (connection) => connection + (++calls === 8 ? 1 : 0),
  });
  assert.is(verdict.strays, 1);
});

test.run();
