/** The handlers' module: loaded, called if it is a function, and checked. */
import { OverlappedError } from '../../errors.ts';
import { checkHandlers } from '../../handlers.ts';
import type { MakeWorkerHandlers, WorkerContext, WorkerHandlers } from './context.ts';
import { type FromWorker, recordError, type WorkerStart } from './messages.ts';

const NAMES = ['open', 'message', 'messages', 'end', 'drain', 'error', 'close', 'codec'] as const;

/** @throws what the module throws; OverlappedError INVALID_OPTION for what it exports */
async function loadHandlers(url: string, context: WorkerContext): Promise<WorkerHandlers> {
  const module: { readonly default?: unknown } & WorkerHandlers = await import(url);
  const exported = module.default ?? module;
  const made: unknown =
    typeof exported === 'function'
      ? await (exported as MakeWorkerHandlers)(context)
      : (exported as unknown);
  if (typeof made !== 'object' || made === null) {
    throw new OverlappedError('INVALID_OPTION', `${url} exports no handlers, but ${String(made)}`);
  }
  const handlers = made as WorkerHandlers;
  if (NAMES.every((name) => handlers[name] === undefined)) {
    throw new OverlappedError('INVALID_OPTION', `${url} exports none of ${NAMES.join(', ')}`);
  }
  checkHandlers(handlers);
  return handlers;
}

/** What a worker begins with: loads the module and says so, or why it cannot be used. */
export async function loadForWorker(
  start: WorkerStart,
  connection: WorkerContext['connection'],
  post: (message: FromWorker) => void,
): Promise<WorkerHandlers | undefined> {
  const { index, workers, data, handlers } = start;
  const context: WorkerContext = Object.freeze({ worker: index, workers, data, connection });
  try {
    const loaded = handlersOf(await loadHandlers(handlers, context));
    post({ kind: 'loaded' });
    return loaded;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const message = `the handlers' module ${handlers} cannot be used: ${text}`;
    const failure = recordError(new OverlappedError('INVALID_OPTION', message));
    post({ kind: 'failed', what: 'load', error: { ...failure, cause: recordError(error) } });
    return undefined;
  }
}

/** The handlers alone, as `listen` takes them; each is called with the module's object as `this`. */
function handlersOf(handlers: WorkerHandlers): WorkerHandlers {
  const picked: { -readonly [Name in keyof WorkerHandlers]?: unknown } = {};
  for (const name of NAMES) {
    const value = handlers[name];
    if (typeof value === 'function') {
      picked[name] = (value as (...parameters: unknown[]) => unknown).bind(handlers);
    } else if (value !== undefined) picked[name] = value;
  }
  return picked as WorkerHandlers;
}
