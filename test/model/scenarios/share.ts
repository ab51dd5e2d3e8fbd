/**
 * The real turn of a shared port: two or three workers, an I/O thread, and a
 * kernel that completes what was submitted. The k-th receive gets the k-th
 * message, so what is handled must count up; what is sent must come out in the
 * order of the calls; and when all are idle nothing may be left anywhere.
 */
import * as layout from '#generated/layout';
import { writeLoopProfile } from '../../../src/core/loop-profile.ts';
import { attachWorker, placeRegions, type Regions } from '../../../src/core/regions.ts';
import { fixed } from '../../../src/framing.ts';
import { type Body, call, check, giveWay, pause, until } from '../actions.ts';
import type { FibreMachine } from '../fibres.ts';
import type { Scenario } from './scenario.ts';

/** What a worker's host half can do wrong; each must be found. */
export type ShareFault = 'sleeps with a claim' | 'releases before handing over';

export interface ShareOptions {
  readonly workers: number;
  readonly connections: number;
  /** Of each connection. */
  readonly messages: number;
  /** The backend selects buffers: one receive completes many times. */
  readonly selects?: boolean;
  /** Messages that other threads post to the first connection. */
  readonly posts?: number;
  /** ... once all others were handled. */
  readonly postsLate?: boolean;
  /** Somebody aborts the first connection at any time. */
  readonly aborts?: boolean;
  /** A worker dies in a handler. */
  readonly dies?: boolean;
  readonly locks?: number;
  /** Default true. */
  readonly eagerRead?: boolean;
  readonly fault?: ShareFault;
}

const DEPTH = 3;
const BATCH = 2;
const NOW = 1;
const POSTED = 100;
const BUFFER_BYTES = 16;

interface Connection {
  readonly handle: number;
  readonly slot: number;
  /** Messages given to receives, and handled. */
  given: number;
  handled: number;
  processors: number;
  /** Who handled the last message. */
  handler: number;
  /** What came out: echoes count up, and so does what was posted. */
  echoed: number;
  posted: number;
  /** Receives that wait, in any order; of a backend that selects, the armed one. */
  readonly receives: Submitted[];
  /** Other submissions. */
  readonly others: Submitted[];
  closed: number;
}

interface Submitted {
  readonly kind: number;
  readonly token: number;
  readonly offset: number;
  readonly length: number;
}

interface Parts {
  readonly machine: FibreMachine;
  readonly options: ShareOptions;
  readonly regions: readonly Regions[];
  readonly connections: readonly Connection[];
  readonly all: number;
  /** Somebody was told to wake the I/O thread, and did. */
  woken: boolean;
  posters: number;
  closing: boolean;
  dead: number;
  workersLeft: number;
}

const word = ({ machine }: Parts, address: number) => machine.u32[address >> 2] as number;

/** Everything was handled, and came out. */
function isDone(parts: Parts): boolean {
  const { options, connections, posters } = parts;
  if (posters > 0) return false;
  return connections.every((connection, index) => {
    if (connection.closed > 0) return true;
    if (index === 0 && options.aborts === true) return false;
    const posted = index === 0 ? (options.posts ?? 0) : 0;
    return connection.echoed === options.messages && connection.posted === posted;
  });
}

// ---------------------------------------------------------------- a worker

function* handOver(parts: Parts, worker: number): Body {
  if ((yield call('handOver', worker)) !== 0) parts.woken = true;
}

/** False: the worker dies in it. */
function* handle(
  parts: Parts,
  own: Regions,
  event: number,
): Generator<ReturnType<typeof call>, boolean, number> {
  const { machine, options } = parts;
  const kind = machine.u32[event] as number;
  const connection = parts.connections.find(({ slot }) => slot === machine.i32[event + 1]);
  if (connection === undefined) throw new Error('an event of nobody');
  if (kind === layout.EVENT_CLOSE) {
    connection.closed++;
    check(connection.closed === 1, 'CLOSE comes twice');
    check(connection.processors === 0, 'CLOSE comes while a handler is at work');
    return true;
  }
  if (kind !== layout.EVENT_MESSAGE) {
    check(kind === layout.EVENT_OPEN, `event ${kind}`);
    return true;
  }
  check(connection.processors === 0, 'two handlers are at work on one connection');
  check(connection.closed === 0, 'a message comes after CLOSE');
  connection.processors++;
  connection.handler = own.index;
  yield pause(`handles ${connection.handled}`);
  const offset = machine.u32[event + 2] as number;
  check(
    machine.u8[offset] === connection.handled,
    `message ${machine.u8[offset]} is handled as number ${connection.handled}`,
  );
  connection.handled++;
  if (options.dies === true && parts.dead === 0 && machine.random.below(3) === 0) return false;
  const sent = yield call('send', own.worker, connection.slot, offset, 1);
  check(sent >= 0 || sent === layout.ERROR_CLOSED, `send fails: ${sent}`);
  connection.processors--;
  return true;
}

function* work(parts: Parts, index: number): Body {
  const { options } = parts;
  const own = parts.regions[index] as Regions;
  for (;;) {
    const count = yield call('turn', own.worker, NOW);
    yield* handOver(parts, own.worker);
    for (let i = 0; i < count; i++) {
      const event = (own.events + i * layout.EVENT_BYTES) >> 2;
      if (yield* handle(parts, own, event)) continue;
      parts.dead = index;
      parts.workersLeft--;
      parts.woken = true;
      return;
    }
    let again: number;
    let kept = 0;
    do {
      again = yield call('finish', own.worker);
      if (options.fault === 'releases before handing over') {
        kept = yield call('releaseClaims', own.worker);
      }
      yield* handOver(parts, own.worker);
    } while (again !== 0);
    if (options.fault !== 'releases before handing over') {
      kept = yield call('releaseClaims', own.worker);
    }
    if (count === 0) yield giveWay('nothing to handle');
    const sleepy = options.fault === 'sleeps with a claim';
    if (!sleepy && word(parts, own.worker + layout.Worker.more) !== 0) continue;
    const timeoutMs = kept > 0 && !sleepy ? 1 : -1;
    const waited = yield call('queuePopStep', own.completions, 0, timeoutMs);
    if (waited === layout.ERROR_CLOSED) break;
  }
  parts.workersLeft--;
}

// ---------------------------------------------------------------- the I/O thread

function takeRing(parts: Parts): void {
  const { machine } = parts;
  const own = parts.regions[0] as Regions;
  const field = (own.worker + layout.Worker.submissionCount) >> 2;
  const fields = layout.Submission;
  for (let i = 0; i < (machine.u32[field] as number); i++) {
    const at = own.submissions + i * layout.SUBMISSION_BYTES;
    const kind = word(parts, at + fields.kind);
    const handle = word(parts, at + fields.handle);
    const connection = parts.connections.find((other) => other.handle === handle);
    check(connection !== undefined, `submission ${kind} is for nobody`);
    const submitted = {
      kind,
      token: machine.f64[(at + fields.token) >> 3] as number,
      offset: word(parts, at + fields.offset),
      length: word(parts, at + fields.length),
    };
    if (kind === layout.OPERATION_RECEIVE) receive(parts, connection, submitted);
    else {
      if (kind === layout.OPERATION_SEND) wire(parts, connection, submitted);
      if (kind !== layout.OPERATION_CANCEL) connection.others.push(submitted);
    }
  }
  machine.u32[field] = 0;
}

/** The k-th submission gets the k-th message. */
function receive({ machine, options }: Parts, connection: Connection, submitted: Submitted): void {
  connection.receives.push(submitted);
  if (options.selects !== true) machine.u8[submitted.offset] = connection.given++;
}

function wire({ machine }: Parts, connection: Connection, { offset, length }: Submitted): void {
  for (let at = 0; at < length; at++) {
    const byte = machine.u8[offset + at] as number;
    const expected = byte >= POSTED ? POSTED + connection.posted++ : connection.echoed++;
    check(byte === expected, `${byte} is sent where ${expected} is due`);
  }
}

function* io(parts: Parts): Body {
  const own = parts.regions[0] as Regions;
  const { worker, completions } = own;
  let dead = 0;
  for (;;) {
    yield until('the I/O thread is woken', () => parts.woken || isDone(parts));
    if (isDone(parts)) break;
    parts.woken = false;
    if (parts.dead !== dead) {
      dead = parts.dead;
      yield call('takeOver', worker, (parts.regions[dead] as Regions).worker);
      for (const connection of parts.connections) {
        if (connection.handler === dead) connection.processors = 0;
      }
    }
    const count = yield call('turn', worker, NOW);
    for (let i = 0; i < count; i++) {
      yield* handle(parts, own, (own.events + i * layout.EVENT_BYTES) >> 2);
    }
    yield call('finish', worker);
    while ((yield call('takeSubmissions', worker)) !== 0) takeRing(parts);
    yield call('releaseClaims', worker);
    if (word(parts, worker + layout.Worker.more) !== 0) parts.woken = true;
  }
  parts.closing = true;
  yield call('queueClose', completions);
}

// ---------------------------------------------------------------- the kernel

function* push(parts: Parts, token: number, result: number, flags = 0, buffer = -100): Body {
  const { completions } = parts.regions[0] as Regions;
  const pushed = yield call('queuePush', completions, token, result, flags, buffer, 0);
  check(pushed === 0 || parts.closing, `a completion is refused: ${pushed}`);
}

/** Receives that have one of the messages; none of a backend that selects once all are given. */
function fitting({ machine, options }: Parts, connection: Connection): readonly Submitted[] {
  const { receives, given } = connection;
  if (options.selects === true) return given < options.messages ? receives : [];
  return receives.filter(({ offset }) => (machine.u8[offset] as number) < options.messages);
}

function* kernel(parts: Parts): Body {
  const { machine, options, connections } = parts;
  const { random } = machine;
  for (;;) {
    const ready = () =>
      connections.filter(
        (connection) => connection.others.length > 0 || fitting(parts, connection).length > 0,
      );
    yield until('something can complete', () => ready().length > 0 || parts.closing);
    if (parts.closing) return;
    const list = ready();
    const connection = list[random.below(list.length)] as Connection;
    const { receives, others } = connection;
    const closing = others.some(({ kind }) => kind === layout.OPERATION_CLOSE);
    const fit = fitting(parts, connection);
    if (closing) {
      // A close completes last.
      const from = receives.length > 0 ? receives : others;
      const first = from.findIndex(({ kind }) => kind !== layout.OPERATION_CLOSE);
      const [item] = from.splice(Math.max(first, 0), 1) as [Submitted];
      const result = item.kind === layout.OPERATION_RECEIVE ? layout.ERROR_CANCELED : 0;
      yield* push(parts, item.token, item.kind === layout.OPERATION_SEND ? item.length : result);
    } else if (fit.length === 0 || (others.length > 0 && random.below(2) === 0)) {
      const { kind, token, length } = others.shift() as Submitted;
      yield* push(parts, token, kind === layout.OPERATION_SEND ? length : 0);
    } else if (options.selects === true) {
      const { buffers, worker } = parts.regions[0] as Regions;
      const buffer = yield call('bufferTake', worker);
      if (buffer < 0) {
        yield giveWay('no buffer is free');
        continue;
      }
      const offset = machine.exports.poolAddress(buffers, buffer) >>> 0;
      machine.u8[offset] = connection.given++;
      const flags = layout.COMPLETION_MORE | layout.COMPLETION_BUFFER;
      yield* push(parts, (receives[0] as Submitted).token, 1, flags, buffer);
    } else {
      const item = fit[random.below(fit.length)] as Submitted;
      receives.splice(receives.indexOf(item), 1);
      yield* push(parts, item.token, 1);
    }
  }
}

// ---------------------------------------------------------------- other threads

function* post(parts: Parts, token: number, count: number): Body {
  const { machine } = parts;
  const { worker } = parts.regions[0] as Regions;
  const bytes = machine.reserve('posted bytes', 8);
  const [first] = parts.connections as [Connection];
  const { postsLate, messages } = parts.options;
  if (postsLate === true) yield until('all is handled', () => first.handled === messages);
  for (let i = 0; i < count; i++) {
    machine.u8[bytes] = POSTED + i;
    const result = yield call('postCall', worker, token, layout.CALL_SEND, bytes, 1);
    check(result >= 0 || parts.options.aborts === true, `post fails: ${result}`);
    if ((yield call('ioWake', worker)) !== 0) parts.woken = true;
  }
  parts.posters--;
}

function* abort(parts: Parts, token: number): Body {
  const { worker } = parts.regions[0] as Regions;
  yield pause('decides to abort');
  const { CALL_ABORT, ERROR_ABORTED } = layout;
  const result = yield call('postCall', worker, token, CALL_ABORT, ERROR_ABORTED, 0);
  check(result >= 0, `abort fails: ${result}`);
  if ((yield call('ioWake', worker)) !== 0) parts.woken = true;
  parts.posters--;
}

// ---------------------------------------------------------------- all of it

function describe(options: ShareOptions): string {
  const { workers, connections, messages, selects, posts, aborts, dies, fault } = options;
  const also = [
    selects === true ? 'buffers selected' : '',
    options.eagerRead === false ? 'late reads' : '',
    posts === undefined ? '' : `${posts} ${options.postsLate === true ? 'late ' : ''}posts`,
    aborts === true ? 'an abort' : '',
    dies === true ? 'a death' : '',
    fault ?? '',
  ].filter((text) => text !== '');
  return [`share ${workers} workers, ${connections}×${messages}`, ...also].join(', ');
}

/** Connections that the I/O thread has opened and offers. */
function openAll(machine: FibreMachine, own: Regions, profile: number, count: number) {
  const { exports } = machine;
  const tokens: number[] = [];
  for (let i = 0; i < count; i++) {
    const token = exports.connectionCreate(own.worker, layout.CONNECTION_STREAM, profile);
    const slot = exports.connectionCheck(own.worker, token);
    const opening = exports.operationStart(own.worker, layout.OPERATION_CONNECT, slot);
    exports.complete(own.worker, opening, 10 + i, 0, layout.NOTHING, 0);
    exports.turn(own.worker, NOW);
    exports.connectionOffer(own.worker, slot);
    tokens.push(token);
  }
  return tokens;
}

export function shareScenario(options: ShareOptions): Scenario {
  const { workers, connections: count, posts = 0 } = options;
  const { aborts = false, selects = false, eagerRead = true } = options;
  const prepare = (machine: FibreMachine) => {
    const limits = {
      receiveDepth: selects ? 1 : DEPTH,
      sendDepth: 1,
      maxTransferBytes: 1 << 20,
      selectsBuffers: selects,
    };
    const core = machine.asCore('port');
    const first = placeRegions(
      core,
      {
        maxConnections: count,
        maxOperations: 32,
        receiveBuffers: 8,
        receiveBufferBytes: BUFFER_BYTES,
        arenaBytes: 1 << 13,
        rings: { events: 8, submissions: 16, replies: 1, scratchBytes: 8 },
        sharing: { workers, locks: options.locks ?? count, batch: BATCH },
      },
      limits,
    );
    const profile = writeLoopProfile(
      core,
      { framing: fixed(1), receiveDepth: limits.receiveDepth, chunkBytes: 512, eagerRead },
      { ...limits, receiveBytes: BUFFER_BYTES },
    );
    const tokens = openAll(machine, first, profile, count);
    const { exports, i32 } = machine;
    const parts: Parts = {
      machine,
      options,
      regions: Array.from({ length: workers + 1 }, (_, index) => attachWorker(first, index)),
      connections: tokens.map((token, index) => ({
        handle: 10 + index,
        slot: token % 2 ** 20,
        given: 0,
        handled: 0,
        processors: 0,
        handler: 0,
        echoed: 0,
        posted: 0,
        receives: [],
        others: [],
        closed: 0,
      })),
      all: count,
      woken: false,
      posters: (posts > 0 ? 1 : 0) + (aborts ? 1 : 0),
      closing: false,
      dead: 0,
      workersLeft: workers,
    };
    exports.finish(first.worker);
    takeRing(parts);
    exports.releaseClaims(first.worker);
    for (let i = 1; i <= workers; i++) machine.spawn(`worker ${i}`, work(parts, i));
    machine.spawn('I/O', io(parts));
    machine.spawn('kernel', kernel(parts));
    const [token] = tokens as [number];
    if (posts > 0) machine.spawn('poster', post(parts, token, posts));
    if (aborts) machine.spawn('aborter', abort(parts, token));
    return () => checkEnd(parts, () => exports.poolInUse(first.connections), i32);
  };
  return { name: describe(options), prepare };
}

/** All are idle for good. */
function checkEnd(parts: Parts, inUse: () => number, i32: Int32Array): void {
  const { machine, regions, connections } = parts;
  const { exports } = machine;
  const first = regions[0] as Regions;
  check(parts.workersLeft === 0, 'a worker is left');
  for (const { worker } of regions) {
    const inbox = word(parts, worker + layout.Worker.inbox);
    check(exports.queueLength(inbox) === 0, 'an inbox is not empty');
    check(i32[(worker + layout.Worker.claimHead) >> 2] === layout.CLAIM_END, 'a claim is kept');
  }
  for (const { slot, closed } of connections) {
    if (closed > 0) continue;
    const record = exports.poolAddress(first.connections, slot) >>> 0;
    const field = (name: number) => i32[(record + name) >> 2];
    const { owner, forwarded, callsHead, postedBytes } = layout.Connection;
    check(field(owner) === layout.NOTHING, `a connection is still ${field(owner)}'s`);
    check(field(forwarded) === 0, 'completions are forwarded to nobody');
    check(field(callsHead) === 0 && field(postedBytes) === 0, 'calls are stranded');
  }
  const open = connections.filter(({ closed }) => closed === 0).length;
  check(inUse() === open, `${inUse()} records are in use, of ${open} connections`);
  for (const { port } of regions) {
    const stale = machine.f64[(port + layout.Port.stale) >> 3];
    check(stale === 0, `${stale} completions are stale`);
  }
}
