/** `stress --experiment senders` (R17). */
import { runSenders, type SendersRun } from '../../stress/senders.ts';
import { lockRuns, sharedSocketBackend, sizeRange, timeoutMs } from './options.ts';
import { type Experimenter, grid } from './report.ts';

const THREADS = 20;
const PACKETS = 10_000;

export const senders: Experimenter = async (values, watch) => {
  const backend = sharedSocketBackend(values);
  const { seed } = values;
  const [leastBytes, mostBytes] = sizeRange(values.size) as readonly [number, number];
  const options = {
    backend,
    locks: lockRuns(values.lock),
    threads: values.threads || THREADS,
    packets: values.packets || PACKETS,
    leastBytes,
    mostBytes,
    seed,
    timeoutMs: timeoutMs(values),
  };
  const { runs, calls, held } = await runSenders(options, watch);
  return {
    held,
    json: { backend, calls, threads: options.threads, packets: options.packets, runs },
    text: [
      `${options.threads} threads send ${options.packets} packets of ${leastBytes} to ${mostBytes} bytes over one socket.`,
      `${backend}: ${calls}.`,
      '',
      grid(
        [
          'lock',
          'sent',
          'whole',
          'lost',
          'doubled',
          'broken',
          'at once',
          'partial sends',
          'seconds',
          'as expected',
        ],
        runs.map((run) => [
          run.lock ? 'on' : 'off',
          run.sent,
          run.whole,
          run.lost,
          run.doubled,
          run.broken,
          run.overlaps,
          run.partialSends,
          run.seconds,
          run.held,
        ]),
      ),
      '',
      ...runs.map(saying),
    ],
  };
};

function saying({ lock, whole, sent, doubled, broken }: SendersRun): string {
  const name = `${lock ? 'With' : 'Without'} the lock`;
  if (whole === sent && doubled + broken === 0) {
    return `${name}: every packet is whole, none is lost, none is doubled.`;
  }
  return `${name}: packets are mixed on the wire; ${sent - whole} of ${sent} did not arrive whole.`;
}
