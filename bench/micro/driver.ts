/** The loops of driver/, instantiated on a core's memory. */
import unshared from '#generated/micro';
import shared from '#generated/micro.shared';
import type { Core } from '../../src/core/index.ts';

/** Exports of driver/index.ts. Addresses they return are signed. */
export interface Driver {
  runEncode(
    framing: number,
    messages: number,
    stride: number,
    length: number,
    count: number,
    out: number,
  ): number;
  runStore(store: number, numbers: number, count: number, base: number, out: number): number;
  runLock(lock: number, sequencer: number, count: number): number;
  runOperation(lock: number, sequencer: number, store: number, count: number): number;
  runPool(pool: number, tokens: number, count: number): number;
  runQueue(queue: number, scratch: number, first: number, count: number): number;
  runPush(queue: number, first: number, count: number): number;
  runPop(queue: number, scratch: number, count: number, sum: number): number;
}

const modules = new Map<string, WebAssembly.Module>();

function decode(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export function driverOn(core: Core): Driver {
  const text = core.shared ? shared : unshared;
  let module = modules.get(text);
  if (module === undefined) {
    module = new WebAssembly.Module(decode(text));
    modules.set(text, module);
  }
  const { exports } = new WebAssembly.Instance(module, { env: { memory: core.memory } });
  return exports as unknown as Driver;
}
