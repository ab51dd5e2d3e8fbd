import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { statisticsHandlers } from '../../bench/echo/servers/statistics.mjs';

/** Both are there, or neither. */
interface Handlers {
  open?(): void;
  close?(): void;
}

const folder = mkdtempSync(join(tmpdir(), 'overlapped-bench-test-'));
const file = join(folder, 'statistics.json');
const make = (port: unknown) => statisticsHandlers(() => port) as Handlers;

test.after(() => {
  delete process.env.STATISTICS_FILE;
  rmSync(folder, { recursive: true });
});

test('a server that nobody asks has no handlers more', () => {
  delete process.env.STATISTICS_FILE;
  assert.equal(make(undefined), {});
});

test('statistics are written when the last connection has closed, each time', () => {
  process.env.STATISTICS_FILE = file;
  let completions = 0;
  const handlers = make({ statistics: () => ({ completions }) });
  handlers.open?.();
  handlers.open?.();
  handlers.close?.();
  assert.not.ok(existsSync(file));
  completions = 7;
  handlers.close?.();
  assert.is(readFileSync(file, 'utf8'), '{"completions":7}\n');
  handlers.open?.();
  completions = 8;
  handlers.close?.();
  assert.is(readFileSync(file, 'utf8'), '{"completions":8}\n');
});

test.run();
