/** The edges of a shared port, one situation after the other (R3, R4, R6, R7). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CALL_ABORT,
  CALL_CLOSE,
  CALL_END,
  CALL_PAUSE,
  CALL_RESUME,
  CALL_SEND,
  CALL_SEND_RAW,
  CLOSE_RESET,
  COMPLETION_MORE,
  CONNECTION_STREAM,
  ERROR_ABORTED,
  ERROR_CANCELED,
  ERROR_CLOSED,
  ERROR_FRAME_TOO_LONG,
  ERROR_NO_BUFFERS,
  ERROR_RESET,
  ERROR_STALE_TOKEN,
  ERROR_TIMED_OUT,
  EVENT_CLOSE,
  EVENT_ERROR,
  EVENT_MESSAGE,
  EVENT_OPEN,
  NOTHING,
  OPERATION_CANCEL,
  OPERATION_CLOSE,
  OPERATION_CONNECT,
  OPERATION_RECEIVE,
  OPERATION_SEND,
  OPERATION_SHUTDOWN,
} from '#generated/layout';
import { line } from '../../src/framing.ts';
import { forEachVariant } from '../support/variants.ts';
import { type SceneOptions, type SeenEvent, SharedScene } from './shared-scene.ts';

const kinds = (events: readonly SeenEvent[]) => events.map(({ kind }) => kind);
const texts = (events: readonly SeenEvent[]) => events.map(({ text }) => text);

forEachVariant((name, makeCore) => {
  const scene = (title: string, work: (it: SharedScene) => void, options: SceneOptions = {}) =>
    test(`${name}: ${title}`, () => work(new SharedScene(makeCore, options)));

  // ------------------------------------------------------------ claims

  scene('an accepted connection is nobody’s until a worker takes it, and opens there', (it) => {
    const handle = it.accept();
    assert.equal(it.events[0], []);
    assert.equal(kinds(it.turn(2)), [EVENT_OPEN]);
    const slot = it.events[2]?.[0]?.slot as number;
    const token = it.core.f64[it.recordOf(slot) >>> 3] as number;
    assert.is(it.owner(token), 2);
    it.finish(2);
    assert.is(it.release(2), 0);
    assert.is(it.owner(token), NOTHING);
    assert.is(it.wakes, 1, 'the I/O thread is to be told of the receives');
    it.io();
    for (let depth = 0; depth < 4; depth++) it.take(OPERATION_RECEIVE, handle);
    assert.equal(it.round(1), []);
  });

  scene(
    'a completion of a connection that another worker has is forwarded, not processed',
    (it) => {
      const { token, handle } = it.open();
      const first = it.take(OPERATION_RECEIVE, handle);
      const second = it.take(OPERATION_RECEIVE, handle);
      it.fill(first, 'a\n');
      assert.equal(texts(it.turn(1)), ['a']);
      it.fill(second, 'b\n');
      assert.equal(it.turn(2), [], 'its handlers are at work elsewhere');
      assert.is(it.field(token, 'forwarded'), 1);
      it.finish(2);
      assert.is(it.release(2), 0);
      it.finish(1);
      assert.is(it.release(1), 1, 'one that was forwarded is kept');
      assert.ok(it.more(1));
      assert.equal(texts(it.turn(1)), ['b']);
      it.finish(1);
      assert.is(it.release(1), 0);
      assert.is(it.owner(token), NOTHING);
    },
  );

  scene(
    'a forwarded completion comes before one that its owner takes itself',
    (it) => {
      const { token, handle } = it.open();
      const armed = it.take(OPERATION_RECEIVE, handle);
      it.feed(armed, 'a\n');
      assert.equal(texts(it.turn(1)), ['a']);
      it.feed(armed, 'b\n');
      it.turn(2);
      it.feed(armed, 'c\n');
      it.finish(1);
      it.release(1);
      assert.equal(texts(it.turn(1)), ['b', 'c']);
      it.finish(1);
      it.release(1);
      assert.is(it.owner(token), NOTHING);
    },
    { limits: { selectsBuffers: true, receiveDepth: 1 } },
  );

  scene('what comes in the wrong order waits in the store, whoever takes it', (it) => {
    const { token, handle } = it.open();
    const receives = [0, 1, 2, 3].map(() => it.take(OPERATION_RECEIVE, handle));
    for (const [index, worker] of [
      [3, 1],
      [2, 2],
      [1, 1],
    ] as const) {
      it.fill(receives[index] as (typeof receives)[0], `${index}\n`);
      assert.equal(it.round(worker), []);
      assert.is(it.owner(token), NOTHING, 'nobody waits with it');
    }
    it.fill(receives[0] as (typeof receives)[0], '0\n');
    assert.equal(texts(it.round(2)), ['0', '1', '2', '3']);
  });

  scene(
    'a turn takes a batch, and leaves the rest to others',
    (it) => {
      const all = [it.open(), it.open(), it.open()];
      for (const { handle } of all) it.fill(it.take(OPERATION_RECEIVE, handle), 'x\n');
      assert.is(it.turn(1).length, 2);
      assert.ok(it.more(1));
      assert.is(it.turn(2).length, 1);
    },
    { batch: 2 },
  );

  for (const locks of [1, 3, 8]) {
    scene(
      `three workers and ${locks} locks: every connection in order`,
      (it) => {
        const all = [it.open(1), it.open(2), it.open(3), it.open(1)];
        let state = 7;
        const random = (limit: number) => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return (state >>> 8) % limit;
        };
        const next = all.map(() => 0);
        const seen = all.map(() => [] as string[]);
        const slots = all.map(({ token }) => it.slotOf(token));
        const note = (events: readonly SeenEvent[]) => {
          for (const { kind, slot, text } of events) {
            assert.is(kind, EVENT_MESSAGE);
            seen[slots.indexOf(slot)]?.push(text);
          }
        };
        const busy = new Set<number>();
        for (let step = 0; step < 400; step++) {
          const which = random(all.length);
          const { handle } = all[which] as (typeof all)[0];
          const receive = it.pending.findIndex((item) => item.handle === handle);
          if (receive >= 0) {
            const [taken] = it.pending.splice(receive, 1);
            it.fill(taken as (typeof it.pending)[0], `${next[which]++}\n`);
          }
          const worker = 1 + random(3);
          if (busy.delete(worker)) {
            it.finish(worker);
            it.release(worker);
          } else {
            note(it.turn(worker));
            busy.add(worker);
          }
          if (random(3) === 0) it.io();
        }
        for (let rounds = 0; rounds < 3; rounds++) {
          for (let worker = 1; worker <= 3; worker++) {
            it.finish(worker);
            it.release(worker);
            note(it.round(worker));
          }
        }
        seen.forEach((list, which) => {
          assert.equal(
            list,
            Array.from({ length: next[which] as number }, (_, index) => `${index}`),
          );
        });
        assert.ok(seen.flat().length > 100);
      },
      { workers: 3, locks },
    );
  }

  // ------------------------------------------------------------ the I/O thread

  scene('a listener’s completions go to the I/O thread, also out of a kernel’s own port', (it) => {
    it.push(it.acceptToken, 55);
    assert.equal(it.round(1), []);
    assert.is(it.wakes, 1, 'forwarded: somebody must wake the I/O thread');
    it.io();
    assert.equal(kinds(it.round(1)), [EVENT_OPEN]);
  });

  scene('one wake is enough until the I/O thread looks', (it) => {
    const { handle } = it.open();
    it.fill(it.take(OPERATION_RECEIVE, handle), 'x\n');
    it.io();
    it.wakes = 0;
    it.round(1);
    it.handOver(2);
    it.round(2);
    assert.is(it.wakes, 1);
    it.io();
    it.fill(it.take(OPERATION_RECEIVE, handle), 'y\n');
    it.round(2);
    assert.is(it.wakes, 2);
  });

  scene('a connection that the I/O thread opened stays there, or is offered', (it) => {
    const connect = () => {
      const own = it.of(0).worker;
      const token = it.exports.connectionCreate(own, CONNECTION_STREAM, it.profile);
      const slot = it.slotOf(token);
      it.complete(it.exports.operationStart(own, OPERATION_CONNECT, slot), 70);
      assert.equal(kinds(it.turn(0)), [EVENT_OPEN]);
      return { token, slot };
    };
    const mine = connect();
    it.finish(0);
    it.release(0);
    assert.is(it.owner(mine.token), 0);
    it.fill(it.take(OPERATION_RECEIVE), 'x\n');
    assert.equal(it.round(1), []);
    assert.equal(texts(it.io()), ['x']);
    const given = connect();
    it.exports.connectionOffer(it.of(0).worker, given.slot);
    it.finish(0);
    it.release(0);
    assert.is(it.owner(given.token), NOTHING);
    assert.equal(kinds(it.round(2)), [EVENT_OPEN]);
  });

  scene('OPEN comes before a message that is quicker than the poke', (it) => {
    const own = it.of(0).worker;
    const token = it.exports.connectionCreate(own, CONNECTION_STREAM, it.profile);
    it.complete(it.exports.operationStart(own, OPERATION_CONNECT, it.slotOf(token)), 70);
    it.turn(0);
    it.exports.connectionOffer(own, it.slotOf(token));
    it.finish(0);
    it.push(it.take(OPERATION_RECEIVE).token, ERROR_RESET);
    it.release(0);
    assert.equal(kinds(it.round(1)), [EVENT_OPEN, EVENT_ERROR]);
    it.settle();
    it.verify();
  });

  scene(
    'the listener hears of the connections that others close, and admits the next',
    (it) => {
      const first = it.open(1);
      assert.is(it.field(it.listener, 'accepted'), 1);
      const parked = it.accept();
      assert.equal(it.round(2), [], 'it is above the listener’s limit');
      assert.is(it.post(2, first.token, CALL_ABORT, ERROR_ABORTED), 1);
      it.round(1);
      it.io();
      it.complete(it.take(OPERATION_CLOSE, first.handle).token, 0);
      for (const receive of it.pending.splice(0)) {
        if (receive.handle === first.handle) it.complete(receive.token, ERROR_CANCELED);
      }
      it.round(1);
      it.round(1);
      it.io();
      assert.equal(kinds(it.round(2)), [EVENT_OPEN]);
      assert.is(it.field(it.listener, 'accepted'), 1);
      it.io();
      it.take(OPERATION_RECEIVE, parked);
    },
    { profile: { maxConnections: 1, receiveDepth: 1 } },
  );

  // ------------------------------------------------------------ posted calls

  scene('a call on a connection that nobody has is run by whoever takes the poke', (it) => {
    const { token, handle } = it.open();
    assert.is(it.post(2, token, CALL_SEND, 'hello'), 1);
    assert.is(it.post(0, token, CALL_SEND_RAW, 'raw'), 1);
    assert.is(it.field(token, 'poked'), 1);
    it.round(1);
    it.io();
    assert.is(it.sent(it.take(OPERATION_SEND, handle)), 'hello\nraw');
    assert.is(it.field(token, 'postedBytes'), 0);
    assert.is(it.exports.queueLength(it.of(0).completions), 1, 'one poke was enough');
    it.settle();
    it.verify();
  });

  scene('a call on a connection that a worker has is run by that worker', (it) => {
    const { token, handle } = it.open();
    it.fill(it.take(OPERATION_RECEIVE, handle), 'x\n');
    it.turn(1);
    assert.is(it.post(2, token, CALL_SEND, 'from 2'), 1);
    assert.is(it.field(token, 'poked'), 0, 'its owner looks before it lets go');
    assert.is(it.send(1, token, 'from 1'), 1);
    it.finish(1);
    assert.is(it.release(1), 1);
    assert.ok(it.more(1));
    it.round(1);
    assert.is(it.owner(token), NOTHING);
    it.io();
    assert.is(it.sent(it.take(OPERATION_SEND, handle)), 'from 1\n');
    it.round(2);
    it.io();
    assert.is(it.sent(it.take(OPERATION_SEND, handle)), 'from 2\n');
  });

  scene('what a thread posts comes before what it does itself once it has the connection', (it) => {
    const { token, handle } = it.open();
    it.fill(it.take(OPERATION_RECEIVE, handle), 'x\n');
    // The completion is ahead of the poke in the queue.
    it.post(1, token, CALL_SEND, 'first');
    it.turn(1);
    it.send(1, token, 'second');
    it.finish(1);
    it.release(1);
    it.io();
    assert.is(it.sent(it.take(OPERATION_SEND, handle)), 'first\nsecond\n');
  });

  scene('every kind of call', (it) => {
    const { token, handle } = it.open();
    it.post(2, token, CALL_PAUSE);
    it.round(1);
    it.fill(it.take(OPERATION_RECEIVE, handle), 'x\n');
    assert.equal(it.round(1), []);
    assert.is(it.owner(token), NOTHING, 'a pause keeps nobody busy');
    it.post(2, token, CALL_RESUME);
    assert.equal(texts(it.round(2)), ['x']);
    it.post(2, token, CALL_END);
    it.round(1);
    it.io();
    it.complete(it.take(OPERATION_SHUTDOWN, handle).token, 0);
    it.round(2);
    assert.is(it.post(2, token, CALL_SEND, 'late'), ERROR_CLOSED);
    it.post(2, token, CALL_CLOSE);
    it.round(2);
    it.post(1, token, CALL_ABORT, ERROR_ABORTED);
    it.round(2);
    it.io();
    assert.is(it.take(OPERATION_CLOSE, handle).flags, CLOSE_RESET);
  });

  scene(
    'a call is refused at once where it cannot be run',
    (it) => {
      const { token } = it.open();
      assert.is(it.post(1, token + 2 ** 20, CALL_SEND, 'x'), ERROR_STALE_TOKEN);
      assert.is(it.post(1, NaN, CALL_SEND, 'x'), ERROR_STALE_TOKEN);
      assert.is(it.post(1, token, CALL_SEND, 'x'.repeat(41)), ERROR_FRAME_TOO_LONG);
      assert.is(it.post(1, token, CALL_SEND, 'x'.repeat(25)), 1);
      assert.is(it.post(1, token, CALL_SEND, 'x'.repeat(30)), 0, 'above the mark');
      assert.is(it.post(1, token, CALL_SEND, 'x'.repeat(30)), ERROR_NO_BUFFERS);
      it.round(2);
      it.settle();
      it.verify();
    },
    {
      profile: {
        framing: line({ maxFrameBytes: 40 }),
        highWaterMarkBytes: 50,
        maxQueuedBytes: 80,
      },
    },
  );

  scene('calls on a connection that closes first are dropped, and their memory is free', (it) => {
    const { token } = it.open();
    it.post(2, token, CALL_ABORT, ERROR_RESET);
    it.post(2, token, CALL_SEND, 'never');
    it.post(2, token, CALL_CLOSE);
    it.round(1);
    it.io();
    assert.is(it.post(2, token, CALL_SEND, 'refused'), ERROR_CLOSED);
    it.settle();
    assert.is(it.post(2, token, CALL_SEND, 'gone'), ERROR_STALE_TOKEN);
    it.verify();
  });

  scene('a poke after the close names nobody, and is not counted', (it) => {
    const { token, handle } = it.open();
    const receives = [0, 1, 2, 3].map(() => it.take(OPERATION_RECEIVE, handle));
    const [first, ...others] = receives as [(typeof receives)[0], ...typeof receives];
    it.complete(first.token, ERROR_RESET);
    for (const { token: late } of others) it.complete(late, ERROR_CANCELED);
    it.turn(1);
    it.finish(1);
    it.release(1);
    // Nobody has it now. The close completes behind the poke, and is taken before it.
    it.io();
    const close = it.take(OPERATION_CLOSE, handle);
    it.exports.sweep(it.of(0).worker, it.nowMs);
    it.complete(close.token, 0);
    it.round(2);
    it.round(2);
    assert.is(it.slotOf(token), ERROR_STALE_TOKEN);
    const stale = it.counter('stale');
    it.exports.queuePush(it.of(0).completions, token, 0, 4, NOTHING, 0);
    assert.equal(it.round(1), []);
    assert.is(it.counter('stale'), stale);
    it.settle();
    it.verify();
  });

  scene('a duplicate of a completion is stale wherever it is seen', (it) => {
    const { token, handle } = it.open();
    const receive = it.take(OPERATION_RECEIVE, handle);
    it.fill(receive, 'a\n');
    it.turn(1);
    const second = it.take(OPERATION_RECEIVE, handle);
    it.fill(second, 'b\n');
    it.push(second.token, 2);
    it.turn(2);
    it.finish(2);
    it.finish(1);
    it.release(1);
    it.round(1);
    assert.is(it.counter('stale'), 1);
    assert.is(it.owner(token), NOTHING, 'it does not keep the claim');
    it.settle();
    it.verify();
  });

  scene('a close that is taken before what came first waits for it', (it) => {
    const { token, handle } = it.open();
    it.post(1, token, CALL_ABORT, ERROR_ABORTED);
    it.round(1);
    it.io();
    const close = it.take(OPERATION_CLOSE, handle);
    const receives = [0, 1, 2, 3].map(() => it.take(OPERATION_RECEIVE, handle));
    it.complete(close.token, 0);
    assert.equal(it.round(1), []);
    assert.is(it.owner(token), NOTHING);
    receives.forEach(({ token: late }, index) => {
      it.complete(late, ERROR_CANCELED);
      assert.equal(kinds(it.round(1 + (index % 2))), index === 3 ? [EVENT_CLOSE] : []);
    });
    it.settle();
    it.verify();
    assert.is(it.counter('stale'), 0);
  });

  // ------------------------------------------------------------ time, memory

  scene(
    'a connection past its time is ended by whoever takes it',
    (it) => {
      const { token } = it.open();
      it.nowMs += 99;
      assert.is(it.exports.sweep(it.of(0).worker, it.nowMs), 0);
      it.nowMs += 1;
      assert.is(it.exports.sweep(it.of(0).worker, it.nowMs), 1);
      assert.is(it.exports.sweep(it.of(0).worker, it.nowMs), 0, 'it is poked once');
      // A clock that is behind decides nothing.
      it.nowMs -= 1;
      assert.equal(it.round(1), []);
      assert.is(it.owner(token), NOTHING);
      it.nowMs += 1;
      it.exports.sweep(it.of(0).worker, it.nowMs);
      const [event] = it.round(2);
      assert.is(event?.kind, EVENT_ERROR);
      assert.is(event?.value, ERROR_TIMED_OUT);
      it.settle();
      it.verify();
      assert.is(it.counter('timeouts'), 1);
    },
    { profile: { idleTimeoutMs: 100 } },
  );

  scene(
    'a clock that is behind the last owner’s ends nothing',
    (it) => {
      const { handle } = it.open();
      it.fill(it.take(OPERATION_RECEIVE, handle), 'x\n');
      it.round(1);
      it.nowMs -= 1;
      assert.is(it.exports.sweep(it.of(0).worker, it.nowMs), 0);
    },
    { profile: { idleTimeoutMs: 100 } },
  );

  scene(
    'a connection that starves keeps its claim, and its time runs',
    (it) => {
      const hungry = it.open(1);
      assert.is(it.owner(hungry.token), 1);
      assert.is(it.release(1), 1);
      it.round(1);
      assert.not(it.more(1), 'a wait with a bound will do');
      it.nowMs += 100;
      const [event] = it.round(1);
      assert.is(event?.kind, EVENT_ERROR);
    },
    { receiveBuffers: 2, profile: { idleTimeoutMs: 100 } },
  );

  scene(
    'the user’s part of the record is zero at first, and reached from every worker',
    (it) => {
      const { token, handle } = it.open();
      const { stateOffset, stateBytes } = it.of(1);
      assert.is(stateBytes, 20);
      const state = (slot: number) =>
        it.core.u8.subarray(it.recordOf(slot) + stateOffset, it.recordOf(slot) + stateOffset + 20);
      assert.equal(
        [...state(it.slotOf(token))],
        Array.from({ length: 20 }, () => 0),
      );
      state(it.slotOf(token)).fill(7);
      it.fill(it.take(OPERATION_RECEIVE, handle), 'x\n');
      assert.equal(texts(it.round(2)), ['x']);
      assert.equal(
        [...state(it.slotOf(token))],
        Array.from({ length: 20 }, () => 7),
      );
      const slot = it.slotOf(token);
      it.post(1, token, CALL_ABORT, ERROR_ABORTED);
      it.round(1);
      it.settle();
      it.complete(it.exports.operationStart(it.of(0).worker, OPERATION_CONNECT, 0), 0);
      const again = it.exports.connectionCreate(it.of(0).worker, CONNECTION_STREAM, it.profile);
      assert.is(it.slotOf(again), slot);
      assert.equal(
        [...state(slot)],
        Array.from({ length: 20 }, () => 0),
      );
    },
    { stateBytes: 20 },
  );

  scene('each worker counts for itself, and the sums are right', (it) => {
    const all = [it.open(1), it.open(2), it.open(1)];
    const completed = it.counter('completed');
    all.forEach(({ handle }, index) => {
      it.fill(it.take(OPERATION_RECEIVE, handle), 'x\n');
      it.round(1 + (index % 2));
    });
    assert.is(it.counter('completed') - completed, 3);
    assert.is(it.counter('accepted'), 3);
    // An accept, four receives each, and those that follow.
    assert.is(it.counter('submitted'), 1 + 3 * 4 + 3);
    it.settle();
    assert.is(it.counter('closed'), 3);
    it.verify();
  });

  // ------------------------------------------------------------ a worker dies

  scene('what a dead worker had is reset, and nothing of it is left', (it) => {
    const lost = it.open(1);
    const other = it.open(2);
    const receives = [0, 1, 2].map(() => it.take(OPERATION_RECEIVE, lost.handle));
    const [first, second] = receives as [(typeof receives)[0], (typeof receives)[0]];
    it.fill(first, 'a\nb');
    it.turn(1); // Its handlers never return: a buffer is borrowed, half a frame assembled.
    it.fill(second, 'c\n');
    it.turn(2); // Forwarded to the dead one.
    it.finish(2);
    it.release(2);
    it.post(2, lost.token, CALL_SEND, 'nobody');
    it.send(1, lost.token, 'queued');
    assert.is(it.exports.takeOver(it.of(0).worker, it.of(1).worker), 1);
    assert.is(it.owner(lost.token), 0);
    it.io();
    assert.is(it.take(OPERATION_CLOSE, lost.handle).flags, CLOSE_RESET);
    it.fill(it.take(OPERATION_RECEIVE, other.handle), 'x\n');
    assert.equal(texts(it.round(2)), ['x'], 'others go on');
    assert.is(it.counter('failed'), 1);
  });

  scene('the place of a dead worker is taken by a new one', (it) => {
    const lost = it.open(1);
    it.fill(it.take(OPERATION_RECEIVE, lost.handle), 'a\n');
    it.turn(1);
    it.exports.takeOver(it.of(0).worker, it.of(1).worker);
    it.settle();
    assert.is(it.events.flat().filter(({ kind }) => kind === EVENT_CLOSE).length, 1);
    it.verify();
    assert.is(it.counter('closed'), 1);
    const next = it.open(1);
    it.fill(it.take(OPERATION_RECEIVE, next.handle), 'x\n');
    assert.equal(texts(it.round(1)), ['x']);
  });

  scene('a worker that dies between CLOSE and its release leaves no record', (it) => {
    const lost = it.open(1);
    it.post(2, lost.token, CALL_ABORT, ERROR_ABORTED);
    it.round(1);
    it.io();
    const close = it.take(OPERATION_CLOSE, lost.handle);
    for (const { token } of it.pending.splice(0)) it.complete(token, ERROR_CANCELED);
    it.round(2);
    it.complete(close.token, 0);
    assert.equal(kinds(it.turn(1)), [EVENT_CLOSE]);
    assert.is(it.exports.takeOver(it.of(0).worker, it.of(1).worker), 1);
    it.settle();
    it.verify();
    assert.is(it.counter('closed'), 1, 'it is counted once');
  });

  scene('a worker that dies with its ring full hands over what it holds', (it) => {
    const lost = it.open(1);
    it.fill(it.take(OPERATION_RECEIVE, lost.handle), 'a\n');
    it.turn(1);
    it.send(1, lost.token, 'reply');
    it.exports.finish(it.of(1).worker);
    it.exports.takeOver(it.of(0).worker, it.of(1).worker);
    it.io();
    assert.ok(it.has(OPERATION_SEND), 'its operations can complete');
    it.settle();
    it.verify();
  });

  scene('a worker that dies with nothing leaves nothing to do', (it) => {
    it.open(1);
    assert.is(it.exports.takeOver(it.of(0).worker, it.of(1).worker), 0);
    it.settle();
    it.verify();
  });

  // ------------------------------------------------------------ at last

  scene('a poke that a closed port refuses ends the connection', (it) => {
    it.exports.queueClose(it.of(0).completions);
    it.complete(it.acceptToken, 90, COMPLETION_MORE);
    it.io();
    it.io();
    assert.is(it.take(OPERATION_CLOSE, 90).flags, CLOSE_RESET);
    assert.is(it.has(OPERATION_CANCEL), false);
  });

  scene('everything is given back at the end', (it) => {
    const all = [it.open(1), it.open(2), it.open(1)];
    for (const { token, handle } of all) {
      it.fill(it.take(OPERATION_RECEIVE, handle), 'x\ny\nz');
      it.round(2);
      it.post(1, token, CALL_SEND, 'bye');
      it.post(1, token, CALL_CLOSE);
    }
    it.settle();
    it.verify();
  });
});

test.run();
