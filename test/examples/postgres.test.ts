/** The PostgreSQL example against a real server. */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startExample, testWith } from './run-example.ts';
import { startPostgres } from './servers.ts';

/** Debian keeps the server's programs apart, a folder a version. */
const DEBIAN = '/usr/lib/postgresql';
const versions = await readdir(DEBIAN).catch(() => []);
const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0];
if (newest !== undefined) process.env.PATH += `:${join(DEBIAN, newest, 'bin')}`;

await testWith(
  ['initdb', ...(process.getuid?.() === 0 ? ['runuser'] : [])],
  'apt-get install postgresql',
  'PostgreSQL: rows, errors, and results larger than a receive buffer',
  async ([initdb]) => {
    const server = await startPostgres(dirname(initdb as string));
    try {
      const query = async (sql: string, database = 'postgres') => {
        const argv = ['127.0.0.1', String(server.port), 'postgres', database, sql];
        return (await startExample('postgres', ...argv)).ended;
      };
      const rows = await query(
        "select 1 as one, 'grüße' as text, null as none union all select 2, '', 'x'",
      );
      assert.is(rows.stderr, '');
      assert.is(rows.stdout, 'one | text | none\n1 | grüße | NULL\n2 |  | x\nSELECT 2\n');
      assert.is(rows.exit, 0);

      const many = await query(
        'select i, repeat(chr(96 + i % 26 + 1), 3000) from generate_series(1, 300) i',
      );
      const lines = many.stdout.trimEnd().split('\n');
      assert.is(lines.length, 302);
      assert.is(lines[300], `300 | ${String.fromCharCode(97 + (300 % 26)).repeat(3000)}`);

      const large = await query(
        "select length(repeat('x', 1000000)) as n, repeat('y', 1000000) as y",
      );
      assert.is(large.stdout, `n | y\n1000000 | ${'y'.repeat(1_000_000)}\nSELECT 1\n`);

      const wrong = await query('select nothing');
      assert.match(wrong.stderr, /ERROR 42703: column "nothing" does not exist/);
      assert.is(wrong.exit, 1);

      const nowhere = await query('select 1', 'nowhere');
      assert.match(nowhere.stderr, /FATAL 3D000: database "nowhere" does not exist/);
      assert.is(nowhere.exit, 1);
    } finally {
      await server.stop();
    }
  },
);

test.run();
