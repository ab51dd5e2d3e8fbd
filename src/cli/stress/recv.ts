/** `stress --experiment recv` (R16, R18). */
import { type RecvRun, runRecv } from '../../stress/recv.ts';
import { lockRuns, sharedSocketBackend, timeoutMs } from './options.ts';
import { type Experimenter, grid } from './report.ts';

const THREADS = 4;

export const recv: Experimenter = async (values, watch) => {
  const backend = sharedSocketBackend(values);
  const { receives, slices, max, seed } = values;
  const options = {
    backend,
    protocols: values.protocol === 'both' ? (['tcp', 'udp'] as const) : [values.protocol],
    locks: lockRuns(values.lock),
    threads: values.threads || THREADS,
    receives,
    slices,
    bufferBytes: values['buffer-size'],
    max,
    waitAll: values['wait-all'],
    seed,
    timeoutMs: timeoutMs(values),
  };
  const { runs, calls, held } = await runRecv(options, watch);
  return {
    held,
    json: { backend, calls, threads: options.threads, receives, max, runs },
    text: [
      `${options.threads} threads, ${receives} receives each, on one socket; bytes 0 … ${max} and again.`,
      `${backend}: ${calls}.`,
      '',
      grid(
        ['socket', 'lock', 'slices', 'corrupt', 'calls at once', 'seconds', 'as expected'],
        runs.map((run) => [
          run.protocol,
          run.lock ? 'on' : 'off',
          run.slices,
          run.corrupt,
          run.overlaps,
          run.seconds,
          run.held,
        ]),
      ),
      '',
      ...runs.flatMap(example),
      ...runs.map(saying),
    ],
  };
};

function example({ protocol, examples: [first] }: RecvRun): string[] {
  if (first === undefined) return [];
  const { bytes, at, around } = first;
  return [`${protocol}: a slice of ${bytes} bytes breaks off at ${at}: … ${around.join(' ')} …`];
}

function saying({ protocol, lock, slices, corrupt }: RecvRun): string {
  const name = `${protocol} ${lock ? 'with' : 'without'} the lock`;
  if (corrupt > 0) return `${name}: slices are corrupt.`;
  return slices > 0 ? `${name}: no slice is corrupt.` : `${name}: nothing was received.`;
}
