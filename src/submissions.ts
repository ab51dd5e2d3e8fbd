/** Hands the core's submission ring to a backend that has no structures of its own. */
import * as layout from '#generated/layout';
import type { Driver } from '../backends/backend.ts';
import type { Core } from './core/core.ts';

const ENTRY_WORDS = layout.SUBMISSION_BYTES / 4;
const HANDLE = layout.Submission.handle / 4;
const TOKEN = layout.Submission.token / 8;
const OFFSET = layout.Submission.offset / 4;
const LENGTH = layout.Submission.length / 4;
const FLAGS = layout.Submission.flags / 4;

/** Submits the first `count` entries at `address`, in order. */
export function drainSubmissions(core: Core, driver: Driver, address: number, count: number): void {
  const { u32, i32, f64 } = core;
  for (let index = 0; index < count; index++) {
    const word = (address >>> 2) + index * ENTRY_WORDS;
    const handle = i32[word + HANDLE] as number;
    const token = f64[(word >>> 1) + TOKEN] as number;
    const offset = u32[word + OFFSET] as number;
    const length = u32[word + LENGTH] as number;
    switch (u32[word]) {
      case layout.OPERATION_SEND:
        driver.send(token, handle, offset, length);
        break;
      case layout.OPERATION_RECEIVE:
        driver.receive(token, handle, offset, length);
        break;
      case layout.OPERATION_SEND_TO:
        driver.sendTo(token, handle, offset, length);
        break;
      case layout.OPERATION_RECEIVE_FROM:
        driver.receiveFrom(token, handle, offset, length);
        break;
      case layout.OPERATION_ACCEPT:
        driver.accept(token, handle);
        break;
      case layout.OPERATION_SHUTDOWN:
        driver.shutdown(token, handle);
        break;
      case layout.OPERATION_CANCEL:
        driver.cancel(token);
        break;
      case layout.OPERATION_CLOSE:
        driver.close(token, handle, (u32[word + FLAGS] as number) === layout.CLOSE_RESET);
        break;
      case layout.OPERATION_POST:
        driver.post(token);
        break;
      default:
        throw new Error(`unknown operation ${u32[word]} in the submission ring`);
    }
  }
}
