/** The runner's own bookkeeping: nothing that went wrong may be counted as passed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareDigests, SuiteReport } from '../report.ts';
import type { TestEvent } from '../support/events.ts';

function feed(report: SuiteReport, ...events: (TestEvent | string)[]): SuiteReport {
  for (const event of events) {
    report.line(typeof event === 'string' ? event : `\u001e${JSON.stringify(event)}`);
  }
  return report;
}

const start = (id: number): TestEvent => ({ type: 'start', id, file: 'a.test.ts', name: `t${id}` });

test('counts what passed, failed and was skipped, with the output of the failing test', () => {
  const report = feed(
    new SuiteReport(),
    start(1),
    'of the first',
    { type: 'pass', id: 1 },
    start(2),
    'of the second',
    { type: 'fail', id: 2, error: 'wrong' },
    { type: 'skip', file: 'a.test.ts', name: 't3' },
    { type: 'end' },
  );
  assert.is(report.passed, 1);
  assert.is(report.skipped, 1);
  assert.is(report.ended, true);
  assert.equal(report.failures, [{ title: 'a.test.ts › t2', text: 'wrong\nof the second' }]);
});

test('a host that dies is a failure of the test that ran', () => {
  const report = feed(new SuiteReport(), start(1), { type: 'pass', id: 1 }, start(2), 'last words');
  report.broke('the host ended with SIGSEGV');
  assert.is(report.ended, false);
  assert.is(report.failures.length, 1);
  assert.is(report.failures[0]?.title, 'a.test.ts › t2');
  assert.match(report.failures[0]?.text ?? '', /SIGSEGV.*t2\nlast words/);
});

test('a name with two digests is a failure that says who differs', () => {
  const of = (...lines: string[]) => feed(new SuiteReport(), ...lines);
  const same = [
    { host: 'node', report: of('• DIGEST trace 00aa', 'DIGEST other 11') },
    { host: 'bun', report: of('DIGEST trace 00aa') },
  ];
  assert.equal(compareDigests(same), []);
  const differ = [...same, { host: 'deno', report: of('DIGEST trace 00ab') }];
  assert.equal(compareDigests(differ), [
    { title: 'digest trace differs', text: '00aa in node, bun\n00ab in deno' },
  ]);
});

test('a name whose digest differs within one host is a failure too', () => {
  const report = feed(new SuiteReport(), 'DIGEST trace 01', 'DIGEST trace 02');
  assert.is(compareDigests([{ host: 'node', report }]).length, 1);
});

test.run();
