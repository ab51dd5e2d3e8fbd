/** Single situations of the turn, each with what must come of it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  COMPLETION_BUFFER,
  COMPLETION_MORE,
  ERROR_ABORTED,
  ERROR_ACCESS,
  ERROR_BROKEN_PIPE,
  ERROR_CANCELED,
  ERROR_CLOSED,
  ERROR_REFUSED,
  ERROR_RESET,
  ERROR_TIMED_OUT,
  ERROR_UNKNOWN,
  EVENT_CLOSE,
  EVENT_DRAIN,
  EVENT_END,
  EVENT_ERROR,
  EVENT_MESSAGE,
  EVENT_OPEN,
  NOTHING,
} from '#generated/layout';
import {
  type CompletionLoopOptions,
  LoopOperation,
  type LoopProfileOptions,
} from '../../src/core/index.ts';
import { lengthField, line, parseFraming } from '../../src/framing.ts';
import { ConnectionModel } from '../models/turn.ts';
import { type Link, randomFrom } from '../models/turn-backend.ts';
import { TurnHost } from '../models/turn-host.ts';
import { createCore, throwsCode } from '../support/primitives.ts';
import { forEachVariant, type MakeCore } from '../support/variants.ts';

const LINES = parseFraming('line');
const encoder = new TextEncoder();
const bytesOf = (text: string) => encoder.encode(text);

interface Scene {
  readonly host: TurnHost;
  readonly model: ConnectionModel;
  readonly link: Link;
}

function hostOf(makeCore: MakeCore, options: CompletionLoopOptions = {}): TurnHost {
  return new TurnHost(createCore(makeCore, 4 << 20), {
    maxConnections: 8,
    receiveBuffers: 16,
    receiveBufferBytes: 256,
    arenaBytes: 1 << 16,
    ...options,
  });
}

/** An open connection. */
function open(
  makeCore: MakeCore,
  options: CompletionLoopOptions = {},
  profile: Partial<LoopProfileOptions> = {},
): Scene {
  const host = hostOf(makeCore, options);
  const model = host.connect(host.profile({ framing: LINES, ...profile }));
  host.reportAll();
  host.rounds();
  assert.ok(model.opened);
  return { host, model, link: model.link as Link };
}

function feed({ host, link }: Scene, text: string): void {
  link.feed(bytesOf(text));
  while (host.backend.performReceive(link, 1000));
}

/** Lets all that is performed be seen. */
function show({ host }: Pick<Scene, 'host'>): void {
  host.reportAll();
  host.rounds();
}

const kindsOf = ({ log }: TurnHost) => log.map(({ event }) => event.kind);

function finish({ host }: Pick<Scene, 'host'>): void {
  host.finishAll(randomFrom(1));
  host.verify();
}

forEachVariant((name, makeCore) => {
  const scene = (title: string, work: () => void) => test(`${name}: ${title}`, work);

  // ------------------------------------------------------------ receiving

  scene('a pause holds the end back, and resume shows it', () => {
    const it = open(makeCore);
    it.host.pause(it.model);
    it.host.flush();
    it.link.terminal = 0;
    it.host.backend.performReceive(it.link, 1);
    show(it);
    assert.equal(kindsOf(it.host), [EVENT_OPEN]);
    it.host.resume(it.model);
    assert.ok(it.host.due);
    it.host.rounds();
    assert.equal(kindsOf(it.host), [EVENT_OPEN, EVENT_END]);
    finish(it);
  });

  scene('a pause holds back the last line that has no end', () => {
    const it = open(makeCore, {}, { framing: line({ unterminated: 'deliver' }) });
    feed(it, 'rest');
    show(it);
    it.host.pause(it.model);
    it.host.flush();
    it.link.terminal = 0;
    it.host.backend.performReceive(it.link, 1);
    show(it);
    assert.equal(kindsOf(it.host), [EVENT_OPEN]);
    it.host.resume(it.model);
    it.host.rounds();
    assert.equal(kindsOf(it.host), [EVENT_OPEN, EVENT_MESSAGE, EVENT_END]);
    finish(it);
  });

  const unended = { framing: line({ unterminated: 'deliver' }), allowHalfOpen: true };

  scene('a send that fails after the end is an error after the last line without an end', () => {
    const it = open(makeCore, { receiveDepth: 2 }, unended);
    feed(it, 'rest');
    it.link.terminal = 0;
    it.host.backend.performReceive(it.link, 1);
    show(it);
    assert.is(it.host.send(it.model, bytesOf('reply')), 'taken');
    it.host.flush();
    it.model.disturbed = it.host.backend.failSend(it.link, ERROR_RESET);
    show(it);
    const kinds = [EVENT_OPEN, EVENT_MESSAGE, EVENT_END, EVENT_ERROR];
    assert.equal(kindsOf(it.host), kinds);
    finish(it);
  });

  scene('closed between the last line without an end and the end: END is not shown', () => {
    const it = open(makeCore, { eventCapacity: 2, receiveDepth: 2 }, unended);
    feed(it, 'one\nrest');
    it.link.terminal = 0;
    it.host.backend.performReceive(it.link, 1);
    it.host.onEvent = (model) => {
      if (model.messages === 2) it.host.close(model);
    };
    show(it);
    finish(it);
    assert.equal(kindsOf(it.host), [EVENT_OPEN, EVENT_MESSAGE, EVENT_MESSAGE, EVENT_CLOSE]);
  });

  scene('close and abort do not wait for a pause to end', () => {
    for (const how of ['close', 'abort'] as const) {
      const it = open(makeCore);
      it.host.pause(it.model);
      feed(it, 'a\nb\n');
      show(it);
      it.host[how](it.model);
      it.link.terminal = 0;
      it.host.settle(randomFrom(2));
      assert.ok(it.model.closed);
      assert.is(it.model.closeResult, how === 'close' ? 0 : ERROR_ABORTED);
      assert.is(it.link.wasReset, how === 'abort');
      finish(it);
    }
  });

  scene('a failure shows what came before it, paused or not', () => {
    const it = open(makeCore, { receiveDepth: 2 });
    it.host.pause(it.model);
    feed(it, 'a\nb\n');
    show(it);
    assert.equal(kindsOf(it.host), [EVENT_OPEN]);
    it.link.terminal = ERROR_RESET;
    it.host.backend.performReceive(it.link, 1);
    it.host.settle(randomFrom(3));
    const kinds = [EVENT_OPEN, EVENT_MESSAGE, EVENT_MESSAGE, EVENT_ERROR, EVENT_CLOSE];
    assert.equal(kindsOf(it.host), kinds);
    finish(it);
  });

  scene('the second completion of a receive that waits for an earlier one is stale', () => {
    const it = open(makeCore, { receiveDepth: 4 });
    for (const line of ['one\n', 'two\n', 'three\n']) {
      it.link.feed(bytesOf(line));
      it.host.backend.performReceive(it.link, 100);
    }
    const [first, second, third] = it.host.backend.reportable();
    it.host.backend.report(third as never);
    it.host.backend.report(second as never);
    it.host.due = true;
    it.host.rounds();
    for (let i = 0; i < 3; i++) it.host.backend.duplicate((second as { token: number }).token);
    it.host.due = true;
    it.host.rounds();
    assert.equal(kindsOf(it.host), [EVENT_OPEN]);
    it.host.backend.report(first as never);
    it.host.due = true;
    it.host.rounds();
    assert.is(it.model.messages, 3);
    assert.is(it.host.loop.counters().stale, 3);
    finish(it);
  });

  scene('nothing is shown after the error, even when there is no record to close with', () => {
    for (const selectsBuffers of [false, true]) {
      const it = open(makeCore, { selectsBuffers, maxOperations: 1 }, { idleTimeoutMs: 50 });
      it.host.nowMs += 60;
      assert.is(it.host.loop.sweep(it.host.nowMs), 1);
      it.model.disturbed = true;
      it.host.due = true;
      it.host.rounds();
      feed(it, 'late\n');
      show(it);
      it.link.terminal = 0;
      it.host.settle(randomFrom(4));
      assert.equal(kindsOf(it.host), [EVENT_OPEN, EVENT_ERROR, EVENT_CLOSE]);
      finish(it);
    }
  });

  for (const selectsBuffers of [false, true]) {
    const mode = selectsBuffers ? 'selected' : 'lent';
    scene(`a receive of more bytes than were ${mode} fails its connection`, () => {
      const it = open(makeCore, { selectsBuffers });
      const [armed] = it.host.backend.held.keys();
      const { loop } = it.host;
      const tooMany = 257;
      it.model.disturbed = true;
      if (selectsBuffers) {
        const flags = COMPLETION_MORE | COMPLETION_BUFFER;
        loop.complete(armed as number, tooMany, flags, loop.takeBuffer() as number);
      } else loop.complete(armed as number, tooMany);
      loop.turn(it.host.nowMs);
      const seen: [number, number][] = [];
      for (const event = loop.events; event.next(); ) seen.push([event.kind, event.result]);
      assert.equal(seen, [[EVENT_ERROR, ERROR_UNKNOWN]]);
    });
  }

  scene('a buffer that comes twice is taken once', () => {
    const it = open(makeCore, { selectsBuffers: true });
    const [armed] = it.host.backend.held.keys();
    const { loop } = it.host;
    const buffer = loop.takeBuffer() as number;
    loop.core.u8.set(bytesOf('line\n'), loop.bufferOffset(buffer));
    it.link.arrived.push(...bytesOf('line\n'));
    const flags = COMPLETION_MORE | COMPLETION_BUFFER;
    for (let i = 0; i < 3; i++) loop.complete(armed as number, 5, flags, buffer);
    it.host.backend.duplicates += 2;
    it.host.due = true;
    it.host.rounds();
    assert.is(it.model.messages, 1);
    loop.complete(armed as number, 5, flags, buffer);
    loop.complete(12345, 5, flags, buffer);
    it.host.backend.duplicates += 2;
    it.host.due = true;
    it.host.rounds();
    assert.is(it.model.messages, 1);
    assert.is(loop.counters().buffers, 0);
    finish(it);
  });

  scene(
    'buffers selected by the backend: none free ends the receive, and it is armed again',
    () => {
      const options = { selectsBuffers: true, receiveBuffers: 2, receiveBufferBytes: 8 };
      const it = open(makeCore, options);
      it.link.feed(bytesOf('0123456789abc\n0123456789abc\nx\n'));
      for (let i = 0; i < 3; i++) it.host.backend.performReceive(it.link, 8);
      show(it);
      assert.is(it.host.loop.counters().starved, 1);
      it.host.settle(randomFrom(5));
      assert.is(it.model.messages, 3);
      finish(it);
    },
  );

  scene('a pause cancels a receive that selects buffers, and resume arms another', () => {
    const it = open(makeCore, { selectsBuffers: true });
    const [first] = it.host.backend.held.keys();
    it.host.pause(it.model);
    it.host.flush();
    show(it);
    assert.is(it.host.backend.held.size, 0);
    it.host.resume(it.model);
    it.host.flush();
    const [second] = it.host.backend.held.keys();
    assert.ok(second !== undefined && second !== first);
    feed(it, 'line\n');
    show(it);
    assert.is(it.model.messages, 1);
    finish(it);
  });

  // ------------------------------------------------------------ sending

  scene('a reset while a later send waits for an earlier one leaves nothing', () => {
    const it = open(makeCore, { sendDepth: 4 }, { chunkBytes: 512 });
    for (let i = 0; i < 3; i++) {
      it.host.send(it.model, bytesOf('x'.repeat(400)));
      it.host.flush();
    }
    for (let i = 0; i < 3; i++) it.host.backend.performSend(it.link, 0);
    const sends = it.host.backend.reportable();
    it.host.backend.report(sends[2] as never);
    it.host.backend.report(sends[1] as never);
    it.host.due = true;
    it.host.rounds();
    it.host.abort(it.model);
    it.host.flush();
    show(it);
    assert.ok(it.model.closed);
    finish(it);
  });

  scene(
    'a send in part, with others behind it, breaks the connection and sends nothing twice',
    () => {
      for (const writeOrder of [true, false]) {
        const it = open(makeCore, { sendDepth: 2 }, { writeOrder });
        it.host.send(it.model, bytesOf('first'));
        it.host.flush();
        it.host.send(it.model, bytesOf('second'));
        it.host.flush();
        const [first, second] = [...it.host.backend.held.values()].filter(
          ({ kind }) => kind === LoopOperation.send,
        );
        it.host.backend.held.delete(first?.token as number);
        it.host.backend.held.delete(second?.token as number);
        it.host.loop.complete(second?.token as number, 7);
        it.host.loop.complete(first?.token as number, 2);
        it.model.disturbed = true;
        it.host.due = true;
        it.host.rounds();
        assert.equal(
          it.host.log.map(({ event }) => event.result),
          [0, ERROR_BROKEN_PIPE],
        );
        show(it);
        assert.is(it.model.closeResult, ERROR_BROKEN_PIPE);
        finish(it);
      }
    },
  );

  scene('an empty send says the truth about waiting', () => {
    const it = open(makeCore, {}, { highWaterMarkBytes: 10, framing: parseFraming('raw') });
    assert.is(it.host.loop.sendRaw(it.model.token, new Uint8Array(0)), true);
    assert.is(it.host.send(it.model, bytesOf('more than ten bytes')), 'blocked');
    assert.is(it.host.loop.send(it.model.token, new Uint8Array(0)), false);
    assert.is(it.host.loop.sendRaw(it.model.token, new Uint8Array(0)), false);
    it.host.settle(randomFrom(6));
    assert.ok(kindsOf(it.host).includes(EVENT_DRAIN));
    finish(it);
  });

  scene(
    'a large message is passed on from where it lies; its buffer stays until it is sent',
    () => {
      const framing = lengthField({ size: 2, endian: 'little' });
      const it = open(
        makeCore,
        { receiveDepth: 1, receiveBufferBytes: 8192, receiveBuffers: 16 },
        { framing },
      );
      const sends: number[] = [];
      it.host.backend.onSubmission = (kind, _handle, length) => {
        if (kind === LoopOperation.send) sends.push(length);
      };
      const offsets: number[] = [];
      it.host.onEvent = (model, event) => {
        offsets.push(event.offset ?? 0);
        it.host.pass(model, event);
      };
      const frame = (length: number, fill: number) =>
        Uint8Array.from([length & 255, length >> 8, ...new Uint8Array(length).fill(fill)]);
      // Two in a row are one range; a small one is copied.
      it.link.feed(Uint8Array.from([...frame(3000, 1), ...frame(2500, 2), ...frame(100, 3)]));
      it.host.backend.performReceive(it.link, 8192);
      it.host.reportAll();
      it.host.rounds();
      const lent = [...it.host.backend.held.values()].filter(
        ({ kind }) => kind === LoopOperation.send,
      );
      assert.equal(
        lent.map(({ offset, length }) => [offset, length]),
        [[(offsets[0] as number) - 2, 5504]],
      );
      // One buffer waits in a receive, one in the send.
      assert.is(it.host.loop.counters().buffers, 2);
      it.host.settle(randomFrom(7));
      assert.equal(sends.at(-1), 102);
      assert.is(it.host.loop.counters().buffers, 1);
      finish(it);
      assert.is(it.link.wire.length, 5606);
    },
  );

  scene('a peer that reads nothing holds four buffers with what is passed on, not all', () => {
    const framing = lengthField({ size: 4 });
    const it = open(
      makeCore,
      { receiveDepth: 1, receiveBufferBytes: 4096, receiveBuffers: 32, arenaBytes: 1 << 18 },
      { framing },
    );
    it.host.onEvent = (model, event) => {
      it.host.pass(model, event);
    };
    for (let round = 0; round < 12; round++) {
      it.link.feed(Uint8Array.from([0, 0, 12, 0, ...new Uint8Array(3072).fill(round)]));
      it.host.backend.performReceive(it.link, 4096);
      for (const held of it.host.backend.reportable())
        if (held.kind === LoopOperation.receive) it.host.backend.report(held);
      it.host.due = true;
      it.host.rounds();
    }
    assert.is(it.model.messages, 12);
    assert.is(it.host.loop.counters().buffers, 4 + 1);
    it.host.settle(randomFrom(8));
    finish(it);
    assert.is(it.link.wire.length, 12 * 3076);
  });

  scene('an adaptive depth is one, and more while receives come back full', () => {
    const it = open(makeCore, { receiveDepth: 3, receiveBufferBytes: 16 }, { adaptiveDepth: true });
    const pending = () =>
      [...it.host.backend.held.values()].filter(({ kind }) => kind === LoopOperation.receive)
        .length;
    assert.is(pending(), 1);
    feed(it, 'short\n');
    show(it);
    assert.is(pending(), 1);
    feed(it, 'exactly sixteen\n');
    show(it);
    assert.is(pending(), 3);
    for (let i = 0; i < 3; i++) feed(it, 'short\n');
    show(it);
    assert.is(pending(), 1);
    assert.is(it.model.messages, 5);
    finish(it);
  });

  scene(
    'buffers lent to silent peers do not starve those that speak, where probes can be had',
    () => {
      for (const probes of ['never', 'scarce', 'always'] as const) {
        const host = hostOf(makeCore, { maxConnections: 16, receiveDepth: 4, probes });
        const profile = host.profile({ framing: LINES });
        const models = Array.from({ length: 12 }, () => host.connect(profile));
        show({ host });
        const free = 16 - host.loop.counters().buffers;
        // What is kept back for those with something to receive; nothing is lent to anyone with `always`.
        assert.is(free, { never: 0, scarce: 4, always: 16 }[probes]);
        const last = models.at(-1) as ConnectionModel;
        const it = { host, model: last, link: last.link as Link };
        for (const line of ['one\n', 'two\n', 'three\n']) {
          it.link.feed(bytesOf(line));
          for (let i = 0; i < 3; i++) {
            host.backend.performReceive(it.link, 100);
            show(it);
          }
        }
        assert.is(last.messages, probes === 'never' ? 0 : 3);
        if (probes === 'never') host.abort(models[0] as ConnectionModel);
        finish(it);
      }
    },
  );

  // ------------------------------------------------------------ listeners

  scene('a listener has no more connections than its profile allows; the others wait', () => {
    for (const eventCapacity of [2, 4096]) {
      const host = hostOf(makeCore, { eventCapacity });
      const listener = host.listen(host.profile({ framing: LINES, maxConnections: 2 }));
      show({ host });
      const links = [1, 2, 3, 4, 5].map(() => host.arrive(listener) as Link);
      show({ host });
      assert.is(host.models.size, 2);
      // No accept is pending: further ones wait in the system's queue.
      assert.is(host.arrive(listener), undefined);
      links[2]?.feed(bytesOf('early\n'));
      for (const index of [1, 0]) {
        (links[index] as Link).terminal = 0;
        host.settle(randomFrom(7));
        assert.is(host.models.size, 2);
      }
      const open = [...host.models.values()].map(({ link }) => links.indexOf(link as Link));
      assert.equal(open.sort(), [2, 3]);
      assert.is(host.modelOf(links[2]?.handle as number)?.messages, 1);
      assert.is(host.arrive(listener), undefined);
      // Who still waits when the listener closes is reset, and was never heard of.
      host.closeListener(listener);
      host.flush();
      host.settle(randomFrom(7));
      assert.is(host.models.size, 2);
      assert.equal(
        links.map((link) => link.wasReset),
        [false, false, false, false, true],
      );
      assert.is(host.all.length, 4);
      assert.is(host.loop.counters().rejected, 0);
      finish({ host });
    }
  });

  scene('a connection without a record is reset', () => {
    const host = hostOf(makeCore, { maxConnections: 2 });
    const listener = host.listen(host.profile({ framing: LINES }));
    show({ host });
    const links = [1, 2, 3].map(() => host.arrive(listener) as Link);
    show({ host });
    assert.equal(
      links.map((link) => link.wasReset),
      [false, true, true],
    );
    assert.is(host.loop.counters().rejected, 2);
    finish({ host });
  });

  scene('a connection without a record is reset also when no operation is left', () => {
    const depths = { receiveDepth: 40, receiveBuffers: 50, sendDepth: 40 };
    const host = hostOf(makeCore, { maxConnections: 2, maxOperations: 32, ...depths });
    const listener = host.listen(host.profile({ framing: LINES }));
    show({ host });
    const links = [host.arrive(listener) as Link];
    show({ host });
    // Receives take half of the records, sends all that they may.
    const [model] = host.models.values();
    for (let sends = 0; sends < 20; sends++) {
      host.send(model as ConnectionModel, bytesOf('reply'));
      host.flush();
    }
    assert.is(host.loop.counters().operations, 30);
    links.push(host.arrive(listener) as Link, host.arrive(listener) as Link);
    show({ host });
    assert.is(host.models.size, 1);
    assert.equal(
      links.map((link) => link.wasReset),
      [false, true, true],
    );
    (links[0] as Link).terminal = 0;
    host.settle(randomFrom(8));
    assert.equal(
      links.map((link) => link.closed),
      [true, true, true],
    );
    finish({ host });
  });

  scene('many receives of a few leave records for the first one of all others', () => {
    const sizes = { maxConnections: 24, maxOperations: 64, receiveDepth: 20, receiveBuffers: 64 };
    const host = hostOf(makeCore, sizes);
    const listener = host.listen(host.profile({ framing: LINES }));
    show({ host });
    const links = Array.from({ length: 23 }, () => host.arrive(listener) as Link);
    show({ host });
    for (const link of links) assert.ok(host.backend.first(LoopOperation.receive, link.handle));
    for (const link of links) link.terminal = 0;
    host.settle(randomFrom(9));
    finish({ host });
  });

  scene('a listener that cannot accept says so once, and goes on when told', () => {
    const host = hostOf(makeCore);
    const listener = host.listen(host.profile({ framing: LINES }));
    show({ host });
    const accept = host.backend.first(LoopOperation.accept, listener.handle);
    host.backend.open(accept?.token as number, ERROR_ACCESS);
    show({ host });
    assert.is(listener.errors, 1);
    assert.is(host.arrive(listener), undefined);
    host.loop.resumeListener(listener.token);
    host.flush();
    assert.ok(host.arrive(listener) !== undefined);
    show({ host });
    assert.is(host.models.size, 1);
    finish({ host });
  });

  scene('a connect that fails, or is called off, is closed and was never open', () => {
    const host = hostOf(makeCore);
    const profile = host.profile({ framing: LINES });
    const refused = host.connect(profile, ERROR_REFUSED);
    show({ host });
    assert.equal([refused.opened, refused.closeResult], [false, ERROR_REFUSED]);
    const { connection, operation } = host.loop.open('stream', profile);
    const called = new ConnectionModel(connection, LINES, host.problems);
    host.models.set(connection % 2 ** 20, called);
    host.all.push(called);
    host.backend.begin(0, operation, -5);
    host.abort(called);
    host.flush();
    show({ host });
    assert.equal([called.opened, called.closeResult], [false, ERROR_ABORTED]);
    // It won the race: closed before anybody hears of it.
    const winner = host.connect(profile);
    host.abort(winner);
    host.flush();
    show({ host });
    show({ host });
    assert.equal([winner.opened, winner.closeResult], [false, ERROR_ABORTED]);
    assert.ok(winner.link?.wasReset);
    finish({ host });
  });

  // ------------------------------------------------------------ time limits

  scene('the time limits of a connection (R23)', () => {
    const limits = { idleTimeoutMs: 100, firstMessageTimeoutMs: 300, closeTimeoutMs: 50 };
    const sweepAt = (it: Scene, ms: number) => {
      it.host.nowMs += ms;
      const expired = it.host.loop.sweep(it.host.nowMs);
      if (expired > 0) {
        it.model.disturbed = true;
        it.host.due = true;
        it.host.rounds();
      }
      return expired;
    };
    const idle = open(makeCore, {}, limits);
    assert.is(sweepAt(idle, 99), 0);
    feed(idle, 'x');
    show(idle);
    assert.is(sweepAt(idle, 99), 0);
    assert.is(sweepAt(idle, 1), 1);
    assert.is(idle.model.failed, ERROR_TIMED_OUT);
    assert.is(sweepAt(idle, 1000), 0);
    show(idle);
    assert.is(idle.model.closeResult, ERROR_TIMED_OUT);
    finish(idle);

    const first = open(makeCore, {}, limits);
    for (let i = 0; i < 5; i++) {
      feed(first, 'x');
      show(first);
      assert.is(sweepAt(first, 50), 0);
    }
    feed(first, 'x');
    show(first);
    assert.is(sweepAt(first, 50), 1);
    assert.is(first.model.failed, ERROR_TIMED_OUT);
    show(first);
    finish(first);

    const heard = open(makeCore, {}, { ...limits, idleTimeoutMs: 0 });
    feed(heard, 'x\n');
    show(heard);
    assert.is(sweepAt(heard, 5000), 0);
    // Closing: the peer's end does not come.
    heard.host.close(heard.model);
    heard.host.rounds();
    heard.host.backend.performShutdown(heard.link);
    show(heard);
    assert.is(sweepAt(heard, 49), 0);
    assert.is(sweepAt(heard, 1), 1);
    show(heard);
    assert.ok(heard.link.wasReset);
    assert.is(heard.model.closeResult, ERROR_TIMED_OUT);
    assert.is(heard.host.loop.counters().timeouts, 1);
    finish(heard);
  });

  scene('after the peer ended, this side may not take for ever to end', () => {
    const it = open(makeCore, {}, { closeTimeoutMs: 50 });
    it.host.send(it.model, bytesOf('nobody takes this'));
    it.host.flush();
    it.link.terminal = 0;
    it.host.backend.performReceive(it.link, 1);
    show(it);
    assert.is(it.model.ended, true);
    it.host.nowMs += 50;
    assert.is(it.host.loop.sweep(it.host.nowMs), 1);
    it.host.due = true;
    it.model.disturbed = true;
    it.host.rounds();
    show(it);
    assert.is(it.model.closeResult, ERROR_TIMED_OUT);
    finish(it);
  });

  // ------------------------------------------------------------ ending

  scene('half-open: the peer has ended, this side goes on until it ends (R14)', () => {
    const it = open(makeCore, {}, { allowHalfOpen: true });
    feed(it, 'q\n');
    it.link.terminal = 0;
    it.host.backend.performReceive(it.link, 1);
    it.host.settle(randomFrom(9));
    assert.equal(kindsOf(it.host), [EVENT_OPEN, EVENT_MESSAGE, EVENT_END]);
    assert.is(it.host.send(it.model, bytesOf('answer')), 'taken');
    it.host.settle(randomFrom(9));
    assert.is(it.model.closed, false);
    it.host.end(it.model);
    assert.is(it.host.send(it.model, bytesOf('too late')), 'CLOSED');
    it.host.settle(randomFrom(9));
    assert.ok(it.model.closed && it.link.shutDown && !it.link.wasReset);
    assert.is(it.model.closeResult, 0);
    finish(it);
  });

  scene('what came with the end can be answered, and so can the end', () => {
    const it = open(makeCore, { receiveDepth: 2 });
    const said: string[] = [];
    it.host.onEvent = (model) => said.push(it.host.send(model, bytesOf('answer')));
    feed(it, 'q\n');
    it.link.terminal = 0;
    it.host.backend.performReceive(it.link, 1);
    show(it);
    assert.equal(said, ['taken', 'taken']);
    assert.is(it.host.send(it.model, bytesOf('too late')), 'CLOSED');
    it.host.settle(randomFrom(10));
    assert.ok(it.model.closed && it.link.shutDown && it.link.wire.length === 14);
    finish(it);
  });

  scene("without it the peer's end ends this side, after what is queued", () => {
    const it = open(makeCore);
    it.host.send(it.model, bytesOf('queued'));
    it.link.terminal = 0;
    it.host.settle(randomFrom(10));
    assert.ok(it.model.closed && it.link.shutDown && it.link.wire.length === 7);
    finish(it);
  });

  scene('a token outlives nothing', () => {
    const it = open(makeCore);
    it.link.terminal = 0;
    it.host.settle(randomFrom(11));
    const { loop } = it.host;
    throwsCode(() => loop.send(it.model.token, bytesOf('x')), 'STALE_TOKEN');
    throwsCode(() => loop.pause(it.model.token), 'STALE_TOKEN');
    throwsCode(() => loop.abort(0.5), 'STALE_TOKEN');
    finish(it);
  });

  // ------------------------------------------------------------ datagrams

  scene('datagrams: several pending, any order, errors that end nothing (R18)', () => {
    const host = hostOf(makeCore, { receiveDepth: 3, sendDepth: 2, eventCapacity: 4 });
    const { loop, backend } = host;
    const profile = host.profile({
      framing: parseFraming('raw'),
      highWaterMarkBytes: 100,
      maxQueuedBytes: 300,
    });
    const { connection, operation } = loop.open('datagram', profile);
    const handle = backend.newLink(false).handle;
    backend.begin(0, operation, -1);
    backend.open(operation, handle);
    const events: string[] = [];
    const round = () => {
      for (const held of backend.reportable()) backend.report(held);
      do {
        loop.turn(host.nowMs);
        backend.submit();
        for (const event = loop.events; event.next(); ) {
          const isDatagram = event.kind === 8;
          events.push(
            isDatagram
              ? new TextDecoder().decode(event.bytes().slice())
              : `${event.kind} ${event.result}`,
          );
          assert.is(event.connection, connection);
        }
        host.flush();
      } while (loop.hasMore);
    };
    round();
    const pending = [...backend.held.values()];
    assert.equal(
      pending.map(({ kind }) => kind),
      Array(3).fill(LoopOperation.receiveFrom),
    );
    for (const [index, { offset }] of pending.entries()) {
      loop.core.u8.set(bytesOf(`datagram ${index}`), offset + 24);
    }
    for (const index of [2, 0, 1]) {
      const { token } = pending[index] as (typeof pending)[0];
      backend.held.delete(token);
      loop.complete(token, index === 1 ? ERROR_REFUSED : 10, 0, NOTHING, 0);
    }
    round();
    assert.equal(events.splice(0), [
      `${EVENT_OPEN} 0`,
      'datagram 2',
      'datagram 0',
      `10 ${ERROR_REFUSED}`,
    ]);
    assert.is(backend.held.size, 3);

    const address = new Uint8Array(24);
    assert.is(loop.sendDatagram(connection, address, bytesOf('first')), true);
    assert.is(loop.sendDatagram(connection, address, new Uint8Array(0)), true);
    assert.is(loop.sendDatagram(connection, address, bytesOf('x'.repeat(60))), false);
    throwsCode(() => loop.sendDatagram(connection, address, new Uint8Array(150)), 'NO_BUFFERS');
    host.flush();
    const sends = () =>
      [...backend.held.values()].filter(({ kind }) => kind === LoopOperation.sendTo);
    assert.equal(
      sends().map(({ length }) => length),
      [29, 24],
    );
    const [first, second] = sends();
    for (const held of [second, first] as (typeof pending)[0][]) {
      backend.held.delete(held.token);
      loop.complete(held.token, held === first ? ERROR_ACCESS : 0);
    }
    round();
    assert.equal(events.splice(0), [`10 ${ERROR_ACCESS}`]);
    const [third] = sends();
    backend.held.delete(third?.token as number);
    loop.complete(third?.token as number, 60);
    round();
    assert.equal(events.splice(0), [`${EVENT_DRAIN} 0`]);
    assert.is(loop.counters().arenaBytes, 0);
    loop.close(connection);
    host.flush();
    round();
    round();
    assert.equal(events.splice(0), [`${EVENT_CLOSE} 0`]);
    host.checkLeft();
    host.verify();
  });

  scene('errors of the closed set, and no others, come of sends after the end', () => {
    const it = open(makeCore);
    it.host.end(it.model);
    it.host.flush();
    throwsCode(() => it.host.loop.sendRaw(it.model.token, bytesOf('x')), 'CLOSED');
    throwsCode(() => it.host.loop.sendRaw(it.model.token, new Uint8Array(0)), 'CLOSED');
    assert.ok(ERROR_CLOSED < 0 && ERROR_CANCELED < 0);
    finish(it);
  });
});

test.run();
