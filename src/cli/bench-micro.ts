/** `overlapped bench micro`: what the core costs in this host or in all, part by part. */
import process from 'node:process';
import type { Allocation } from '../../bench/micro/allocation.ts';
import { CASES } from '../../bench/micro/cases/index.ts';
import { HOSTS, MicroOptionError, runAllocation, runMicro } from '../../bench/micro/run-micro.ts';
import { formatTable } from '../../bench/micro/table.ts';
import type { Command } from './command.ts';
import { describeOptions, flag, integer, parseOptions, text } from './options.ts';
import { EXIT_FAILED, EXIT_OK, usageError } from './outcome.ts';
import { count, Progress, table } from './terminal.ts';
import { version } from './version.ts';

const OPTIONS = {
  quick: flag('fewer cases, in less than a minute'),
  hosts: text('all|A,B', `of ${HOSTS.map(({ name }) => name).join(', ')}; node where not given`),
  filter: text('TEXT', 'only cases with this text in their name'),
  list: flag('name the cases'),
  allocation: flag('count what the batch path allocates, instead of measuring time'),
  messages: integer('with --allocation: how many messages', 10_000_000, 100_000),
  json: text('FILE', 'write the result for machines'),
  report: text('FILE', 'write the result as a page'),
  help: flag('show this help'),
} as const;

const SUMMARY = 'Every part of the core against JavaScript and C, in one host or in all.';

const NOTES = [
  'Versions of one case take turns over the same data; figures are medians of rounds. What they',
  'compute is compared: a version with another result fails, and the exit code is 1. A missed',
  'promise is printed, and no error. The versions in C are compiled at first use, where a compiler is.',
].join('\n');

/**
 * The smallest object has 12 bytes: below this not one message in 12 has left any. What is left
 * is a boxed number now and then, a turn and not a message.
 */
const BYTES_A_MESSAGE = 1;

export const benchMicro: Command = {
  name: 'micro',
  summary: SUMMARY,
  async execute(argv) {
    const values = parseOptions('bench micro', OPTIONS, argv);
    if (values.help) {
      const usage = 'usage: overlapped bench micro [options]';
      console.log([usage, '', SUMMARY, '', ...describeOptions(OPTIONS), '', NOTES].join('\n'));
      return EXIT_OK;
    }
    if (values.list) {
      console.log(table(CASES.map(({ id, title }) => [id, title])));
      return EXIT_OK;
    }
    let doing = 'looking for hosts';
    const progress = new Progress(() => doing);
    try {
      if (values.allocation) {
        doing = `${count(values.messages)} messages`;
        const allocation = await runAllocation(values.messages);
        progress.stop();
        return showAllocation(allocation);
      }
      const { quick, filter, json, report } = values;
      const { result, failed } = await runMicro({
        quick,
        hosts: values.hosts === '' ? [] : values.hosts.split(','),
        filter,
        json: json || undefined,
        report: report || undefined,
        packageVersion: version,
        command: ['overlapped', ...process.argv.slice(2)],
        progress(step) {
          doing = step;
        },
      });
      progress.stop();
      console.log(formatTable(result));
      return failed ? EXIT_FAILED : EXIT_OK;
    } catch (error) {
      if (error instanceof MicroOptionError) throw usageError(error.message);
      throw error;
    } finally {
      progress.stop();
    }
  },
};

function showAllocation(allocation: Allocation): number {
  const { messages, sampledBytes, collections, grownBytes, sites } = allocation;
  const perMessage = (bytes: number) => `${(bytes / messages).toFixed(4)} bytes a message`;
  const rows: [string, string][] = [
    ['messages', count(messages)],
    ['allocated by the heap profile', `${count(sampledBytes)} bytes, ${perMessage(sampledBytes)}`],
    ['collections meanwhile', count(collections)],
    [
      'the heap grew by',
      grownBytes === null
        ? 'not known: it was collected'
        : `${count(grownBytes)} bytes, ${perMessage(grownBytes)}`,
    ],
    ...sites.map(({ site, bytes }): [string, string] => [`  ${site}`, `${count(bytes)} bytes`]),
  ];
  console.log(table(rows));
  return sampledBytes < messages * BYTES_A_MESSAGE ? EXIT_OK : EXIT_FAILED;
}
