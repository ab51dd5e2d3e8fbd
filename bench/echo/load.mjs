// @ts-check
/**
 * The load generator in JavaScript, for systems on which `load.c` cannot be compiled: the same
 * arguments, the same frames and the same output, and it compares every byte too. It is slower
 * than the fast servers, so what it measures of those is itself; the report says so. `ws` and
 * `zmtp` need the one in C.
 */
import { readFileSync, writeSync } from 'node:fs';
import { connect, isIPv4 } from 'node:net';
import { parseArgs } from 'node:util';
import { expectedReply, makeFrame, parseFraming } from './load-frames.mjs';

const USAGE = 2;
const STANDARD_OUTPUT = 1;
const CHECK_MS = 50;
const END_LIMIT_MS = 2000;
/** As in load.c. */
const OPEN_AT_ONCE = 128;
/** Of the kernel's clock in /proc. */
const TICKS_A_SECOND = 100;
const PAGE_BYTES = 4096;

/**
 * @param {string} text
 * @returns {never}
 */
function usage(text) {
  process.stderr.write(`load: ${text}\n`);
  process.exit(USAGE);
}

let totalMessages = 0;

/**
 * @param {string} error
 * @returns {never}
 */
function fail(error) {
  // At once: nothing after this may print another line.
  writeSync(STANDARD_OUTPUT, `${JSON.stringify({ error, messages: totalMessages })}\n`);
  process.exit(1);
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      warmup: { type: 'string', default: '0.5' },
      framing: { type: 'string', default: 'u16le-inclusive' },
      timeout: { type: 'string', default: '5' },
      pid: { type: 'string', multiple: true },
      active: { type: 'string' },
      'warmup-cpu': { type: 'string' },
      // A process that polls would keep JavaScript from its events.
      spin: { type: 'string' },
    },
  });
  if (positionals.length !== 6) usage('HOST PORT CONNECTIONS IN_FLIGHT SIZE SECONDS');
  const number = (
    /** @type {string | undefined} */ text,
    /** @type {string} */ name,
    least = 1,
  ) => {
    const value = Number(text);
    return text !== undefined && text !== '' && value >= least ? value : usage(name);
  };
  const [host, port, connections, inFlight, size, seconds] = positionals;
  const framing = parseFraming(values.framing, number(size, 'SIZE'));
  if (typeof framing === 'string') usage(framing);
  if (!isIPv4(String(host))) usage('HOST is an IPv4 address');
  return {
    host: String(host),
    port: number(port, 'PORT'),
    connections: number(connections, 'CONNECTIONS'),
    inFlight: number(inFlight, 'IN_FLIGHT'),
    sizeBytes: number(size, 'SIZE'),
    seconds: number(seconds, 'SECONDS', 0.001),
    warmup: number(values.warmup, '--warmup', 0),
    timeout: number(values.timeout, '--timeout', 0.01),
    active: number(values.active ?? connections, '--active'),
    pids: (values.pid ?? []).map((pid) => number(pid, '--pid')),
    framing,
  };
}

/** @type {ReturnType<typeof readArguments>} */
let args;
try {
  args = readArguments();
} catch (error) {
  usage(error instanceof Error ? error.message : String(error));
}

/**
 * A field of /proc for each of the servers' processes, summed; undefined where there is none.
 * @param {string} file
 * @param {(text: string) => number} read
 */
function ofServers(file, read) {
  try {
    if (args.pids.length === 0) return undefined;
    return args.pids
      .map((pid) => read(readFileSync(`/proc/${pid}/${file}`, 'utf8')))
      .reduce((sum, value) => sum + value, 0);
  } catch {
    return undefined;
  }
}

/** CPU time so far in ns, in steps of 10 ms. */
const serverCpu = () =>
  ofServers('stat', (text) => {
    // Behind the name, which may contain anything: state is field 3, utime 14, stime 15.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1e9) / TICKS_A_SECOND;
  });
const serverResident = () => ofServers('statm', (text) => Number(text.split(' ')[1]) * PAGE_BYTES);

let outstanding = 0;
let lastReplyAt = performance.now();
/** @type {'warming' | 'measuring' | 'draining' | 'ending'} */
let phase = 'warming';
/** In µs. @type {number[]} */
const latencies = [];

class Connection {
  nextSend = 0;
  nextReply = 0;
  replyOffset = 0;
  hasEnded = false;
  /** When each message in flight was made, by its number. @type {Float64Array} */
  sentAt = new Float64Array(args.inFlight);
  /** Called after the next reply. @type {(() => void) | undefined} */
  served;

  /** @param {number} number */
  constructor(number) {
    this.number = number;
    this.socket = connect({ host: args.host, port: args.port, noDelay: true });
    this.socket.on('data', (bytes) => this.#compare(bytes));
    this.socket.on('end', () => {
      this.hasEnded = true;
      if (phase !== 'ending') fail(`connection ${number}: the server closed it`);
    });
    this.socket.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.syscall === 'connect') fail(`connect: ${error.message}`);
      const what = error.code === 'ECONNRESET' ? 'the server reset it' : error.message;
      fail(`connection ${number}: ${what}`);
    });
  }

  /** Makes messages until `most` are outstanding. @param {number} most */
  fill(most) {
    const frames = [];
    const now = performance.now();
    while (this.nextSend - this.nextReply < most) {
      frames.push(makeFrame(args.framing, this.number, this.nextSend));
      this.sentAt[this.nextSend++ % args.inFlight] = now;
      outstanding++;
    }
    if (frames.length > 0)
      this.socket.write(frames.length === 1 ? frames[0] : Buffer.concat(frames));
  }

  /** @param {Buffer} bytes */
  #compare(bytes) {
    const now = performance.now();
    lastReplyAt = now;
    for (let at = 0; at < bytes.length; ) {
      if (this.nextReply === this.nextSend) {
        fail(`connection ${this.number}: ${bytes.length - at} bytes that nobody asked for`);
      }
      const expected = expectedReply(args.framing, this.number, this.nextReply);
      const part = Math.min(expected.length - this.replyOffset, bytes.length - at);
      const end = this.replyOffset + part;
      if (bytes.compare(expected, this.replyOffset, end, at, at + part) !== 0) {
        let i = 0;
        while (expected[this.replyOffset + i] === bytes[at + i]) i++;
        const byte = this.replyOffset + i;
        fail(
          `connection ${this.number}: message ${this.nextReply}: byte ${byte} is ${bytes[at + i]} instead of ${expected[byte]}`,
        );
      }
      at += part;
      this.replyOffset = end;
      if (end < expected.length) break;
      this.replyOffset = 0;
      const sentAt = /** @type {number} */ (this.sentAt[this.nextReply % args.inFlight]);
      if (phase === 'measuring') latencies.push((now - sentAt) * 1000);
      this.nextReply++;
      outstanding--;
      totalMessages++;
    }
    this.served?.();
    if (this.served === undefined && (phase === 'warming' || phase === 'measuring')) {
      this.fill(args.inFlight);
    }
    if (phase === 'draining' && outstanding === 0) finish();
  }
}

const { connections: count } = args;
const isActive = (/** @type {number} */ i) =>
  Math.floor(((i + 1) * args.active) / count) > Math.floor((i * args.active) / count);

/** @type {Connection[]} */
const connections = [];
const watchdog = setInterval(() => {
  if (phase === 'ending' || performance.now() - lastReplyAt < args.timeout * 1000) return;
  fail(`no reply for ${args.timeout} s, ${outstanding} messages outstanding`);
}, CHECK_MS);

for (let i = 0; i < count; i++) {
  const connection = new Connection(i);
  connections.push(connection);
  if ((i + 1) % OPEN_AT_ONCE !== 0) continue;
  await new Promise((served) => {
    connection.served = () => served(undefined);
    connection.fill(1);
  });
  connection.served = undefined;
}
for (const connection of connections)
  if (isActive(connection.number)) connection.fill(args.inFlight);

const first = { messages: 0, at: 0, server: serverCpu(), own: process.cpuUsage() };
setTimeout(() => {
  phase = 'measuring';
  first.messages = totalMessages;
  first.at = performance.now();
  first.server = serverCpu();
  first.own = process.cpuUsage();
  setTimeout(stopMeasuring, args.seconds * 1000);
}, args.warmup * 1000);

/** @type {Record<string, number | string>} */
let figures = {};

const AGAIN_MS = 5;

function stopMeasuring() {
  if (totalMessages === first.messages) {
    // At least one; silence has its own limit.
    setTimeout(stopMeasuring, AGAIN_MS);
    return;
  }
  phase = 'draining';
  const messages = totalMessages - first.messages;
  const seconds = (performance.now() - first.at) / 1000;
  const own = process.cpuUsage(first.own);
  const ownShare = (own.user + own.system) / 1e6 / seconds;
  const server = serverCpu();
  const resident = serverResident();
  figures = {
    ...{ connections: count, inFlight: args.inFlight, sizeBytes: args.sizeBytes },
    ...{ framing: args.framing.name, seconds, messages, messagesPerSecond: messages / seconds },
    ...(server !== undefined &&
      first.server !== undefined && { serverCpuNsPerMessage: (server - first.server) / messages }),
    ...(resident !== undefined && { serverResidentBytes: resident }),
    ...{ loadCpuShare: ownShare, loadIdleShare: Math.max(0, 1 - ownShare) },
    activeConnections: args.active,
  };
  if (outstanding === 0) finish();
}

function finish() {
  if (phase !== 'draining') return;
  phase = 'ending';
  clearInterval(watchdog);
  for (const { socket } of connections) socket.end();
  const giveUp = performance.now() + END_LIMIT_MS;
  const poll = setInterval(() => {
    const endedByServer = connections.filter(({ hasEnded }) => hasEnded).length;
    if (endedByServer < count && performance.now() < giveUp) return;
    clearInterval(poll);
    latencies.sort((a, b) => a - b);
    const percentile = (/** @type {number} */ part) =>
      Number(latencies[Math.min(latencies.length - 1, Math.floor(part * latencies.length))]);
    const latency = { p50Us: percentile(0.5), p99Us: percentile(0.99), p999Us: percentile(0.999) };
    const maxUs = Number(latencies.at(-1));
    const all = { ...figures, ...latency, maxUs, endedByServer, allMessages: totalMessages };
    writeSync(STANDARD_OUTPUT, `${JSON.stringify(all)}\n`);
    process.exit(0);
  }, 5);
}
