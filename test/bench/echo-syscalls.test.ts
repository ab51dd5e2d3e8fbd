import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CompileError } from '../../bench/echo/compile.mjs';
import { findLoad, type Load } from '../../bench/echo/measure.ts';
import { parseWorkload } from '../../bench/echo/rounds.mjs';
import {
  countCalls,
  difference,
  parseSummary,
  tracingObstacle,
} from '../../bench/echo/syscalls.ts';

const SUMMARY = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 71.43    0.000100           1      2018        12 recvfrom
 28.57    0.000040          13         3           epoll_wait
  0.00    0.000000           0        10         2 io_uring_enter
------ ----------- ----------- --------- --------- ----------------
100.00    0.000140           0      2031        14 total
`;

test("strace's table is read, with errors and without", () => {
  assert.equal(parseSummary(SUMMARY), { recvfrom: 2018, epoll_wait: 3, io_uring_enter: 10 });
  assert.equal(parseSummary(''), {});
});

test('the start of a server does not count', () => {
  const short = { calls: { mmap: 500, recvfrom: 20 }, messages: 10 };
  const long = { calls: { mmap: 500, recvfrom: 420, sendto: 200 }, messages: 210 };
  const { callsPerMessage, byName } = difference(short, long);
  assert.is(callsPerMessage, 3);
  assert.equal(byName, [
    ['recvfrom', 2],
    ['sendto', 1],
    ['mmap', 0],
  ]);
  assert.throws(() => difference(long, short), /no more messages/);
});

function findCompiledLoad(): Load | undefined {
  try {
    return findLoad('c');
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    console.log(`not tested here: ${error.message}`);
    return undefined;
  }
}

const load = findCompiledLoad();
const why = tracingObstacle();
if (why !== undefined) console.log(`not tested here: ${why}`);
const testTracing = load === undefined || why !== undefined ? test.skip : test;

testTracing('a server that waits, receives and sends makes three calls a message', async () => {
  const settings = { seconds: 0.2, warmup: 0.1, size: 64 };
  const workload = parseWorkload('1x1');
  const found = await countCalls(load as Load, 'c-epoll', workload, settings, {});
  const names = found.byName.slice(0, 3).map(([name]) => name);
  assert.equal(names.sort(), ['epoll_wait', 'recvfrom', 'sendto']);
  assert.ok(Math.abs(found.callsPerMessage - 3) < 0.1, `${found.callsPerMessage}`);
});

test.run();
