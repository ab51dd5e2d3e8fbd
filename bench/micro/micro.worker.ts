/** A thread of the micro benchmarks: see gang.ts. */
import { Core } from '../../src/core/index.ts';
import { DONE, END_ROLE, GO, type Orders, RESULT, TASK_WORDS, TASKS } from './gang.ts';
import { ROLE_NAMES, type RoleName, Roles } from './roles.ts';

function serve({ memory, control, index }: Orders, ready: () => void): void {
  const core = Core.attach({ memory });
  const roles = new Roles(core);
  const { i32 } = core;
  const first = control >>> 2;
  const task = first + TASKS + index * TASK_WORDS;
  let seen = Atomics.load(i32, first + GO);
  ready();
  for (;;) {
    Atomics.wait(i32, first + GO, seen);
    seen = Atomics.load(i32, first + GO);
    const [role, a, b, id, count] = i32.subarray(task, task + RESULT) as unknown as number[];
    if (role === END_ROLE) return;
    const name = ROLE_NAMES[role as number] as RoleName;
    i32[task + RESULT] = roles.run({ role: name, a: a!, b: b!, id: id!, count: count! });
    Atomics.add(i32, first + DONE, 1);
    Atomics.notify(i32, first + DONE);
  }
}

if (typeof process === 'undefined') {
  globalThis.onmessage = ({ data }: MessageEvent<Orders>) =>
    serve(data, () => globalThis.postMessage('ready'));
} else {
  const { parentPort, workerData } = await import('node:worker_threads');
  serve(workerData as Orders, () => parentPort?.postMessage('ready'));
}
