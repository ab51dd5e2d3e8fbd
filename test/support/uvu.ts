/**
 * Stands in for `uvu` in test bundles: the same functions, which also report
 * each test as it starts and ends, limit its time, and notice what uvu does
 * not: a failing hook, a file without `test.run()`.
 */
import { type Callback, suite as createSuite, type Test } from 'uvu';
import { environment } from './environment.ts';
import { emit } from './events.ts';

type Context = Record<string, unknown>;

/** Files that this host leaves out: beginnings of their paths, separated by commas. */
const WITHOUT = (environment('OVERLAPPED_TEST_WITHOUT') ?? '').split(',').filter(Boolean);
/** Only against a test that hangs: some take ten seconds where nothing else runs. */
const TEST_LIMIT_MS = Number(environment('OVERLAPPED_TEST_LIMIT_MS') ?? 120_000);

interface Registration {
  readonly id: number;
  readonly file: string;
  readonly name: string;
  /** Whether the `run()` that takes it along was called. */
  taken: boolean;
}

let currentFile = '';
let lastId = 0;
let onlyUsed = false;
/** Tests that have not started. */
const waiting = new Set<Registration>();

export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const details = (error as { details?: unknown }).details;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at |@/.test(line));
  const ours = frames.filter((line) => !/[/\\]uvu[/\\]|uvu\.ts|entry:tests/.test(line));
  const cause = error.cause === undefined ? [] : [`caused by ${describeError(error.cause)}`];
  return [
    `${error.name}: ${error.message}`,
    ...(typeof details === 'string' ? [details] : []),
    ...ours.slice(0, 12),
    ...cause,
  ].join('\n');
}

/** Runs `work` as one reported test. Rejects as it does, or when its time is up. */
async function report(test: Registration, work: () => Promise<void> | void): Promise<void> {
  const { id, file, name } = test;
  waiting.delete(test);
  emit({ type: 'start', id, file, name });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const limit = new Promise<never>((_, reject) => {
      const late = () => reject(new Error(`not done after ${TEST_LIMIT_MS} ms`));
      timer = setTimeout(late, TEST_LIMIT_MS);
    });
    await Promise.race([work(), limit]);
    emit({ type: 'pass', id });
  } catch (error) {
    emit({ type: 'fail', id, error: describeError(error) });
    // uvu stumbles over anything else.
    throw error instanceof Error ? error : new Error(String(error));
  } finally {
    clearTimeout(timer);
  }
}

/** A failure outside of a running test. */
function reportFailure(file: string, name: string, error: unknown): void {
  const id = ++lastId;
  emit({ type: 'start', id, file, name });
  emit({ type: 'fail', id, error: describeError(error) });
}

function wrap<T>(inner: Test<T>): Test<T> {
  const own = new Set<Registration>();
  const add = (register: Test<T> | Test<T>['only']) => (name: string, work: Callback<T>) => {
    const test = { id: ++lastId, file: currentFile, name, taken: false };
    waiting.add(test);
    own.add(test);
    register(name, async (context) => await report(test, () => work(context)));
  };
  // uvu swallows what a hook throws.
  const hook = (name: string, register: (work: Callback<T>) => void) => (work: Callback<T>) =>
    register(async (context) => {
      try {
        await work(context);
      } catch (error) {
        reportFailure(currentFile, `(hook: ${name})`, error);
        throw error;
      }
    });
  type After = { each(work: Callback<T>): void };
  return Object.assign(add(inner), {
    only: (name: string, work: Callback<T>) => {
      onlyUsed = true;
      add(inner.only)(name, work);
    },
    skip: (name = '(no name)') => {
      emit({ type: 'skip', file: currentFile, name });
    },
    before: Object.assign(hook('before', inner.before), {
      each: hook('before.each', inner.before.each),
    }),
    after: Object.assign(hook('after', inner.after), {
      each: hook('after.each', (inner.after as unknown as After).each),
    }),
    run: () => {
      for (const test of own) test.taken = true;
      own.clear();
      inner.run();
    },
  }) as Test<T>;
}

export function suite<T = Context>(title?: string, context?: T): Test<T> {
  return wrap(createSuite<T>(title, context));
}

export const test: Test<Context> = suite();

const SKIPPED = 'did not run: a hook or a test before it broke the suite';
const NOT_TAKEN = 'did not run: no test.run() follows it';

/** Makes a rejection that nobody handles a failure in every host; Bun would go on without a word. */
function watchRejections(): void {
  const name = '(unhandled rejection)';
  if (typeof process === 'undefined') {
    globalThis.addEventListener('unhandledrejection', (event) =>
      reportFailure(currentFile, name, event.reason),
    );
  } else {
    process.on('unhandledRejection', (reason) => reportFailure(currentFile, name, reason));
  }
}

type Run = () => Promise<unknown>;
type Queue = { UVU_QUEUE: Run[][]; UVU_INDEX: number };

/** Loads and runs each file in turn; the last event says how many tests there were. */
export async function runFiles(
  files: readonly (readonly [name: string, load: () => Promise<unknown>])[],
): Promise<void> {
  watchRejections();
  const queue = globalThis as unknown as Queue;
  for (const [name, load] of files) {
    if (WITHOUT.some((path) => name.startsWith(path))) continue;
    currentFile = name;
    queue.UVU_INDEX = 0;
    queue.UVU_QUEUE[0] = [];
    try {
      await load();
    } catch (error) {
      reportFailure(name, '(loading the file)', error);
    }
    for (const run of queue.UVU_QUEUE[0]) await run();
    for (const test of waiting) {
      if (onlyUsed) emit({ type: 'skip', file: name, name: test.name });
      else reportFailure(name, test.name, new Error(test.taken ? SKIPPED : NOT_TAKEN));
    }
    waiting.clear();
  }
  emit({ type: 'end' });
}
