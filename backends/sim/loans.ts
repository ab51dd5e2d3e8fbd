/** What is lent with an operation, from its submission to its completion: rule 4 of the contract. */
import * as layout from '#generated/layout';
import { fillRange, isFilled, isInside, type LentMemory, sumOf } from './lent.ts';
import type { SimNetwork } from './network.ts';
import type { Operation } from './operation.ts';

/** Checks the range and marks it. What has no range that is lent stays as it is. */
export function lend(operation: Operation, core: LentMemory, network: SimNetwork): void {
  const { kind, offset, length } = operation;
  const { settings, patternRandom } = network;
  const isArmed = kind === 'receive' && settings.selectsBuffers;
  const isReceive = (kind === 'receive' && !isArmed) || kind === 'receiveFrom';
  const isSend = kind === 'send' || kind === 'sendTo';
  if (!isReceive && !isSend) return;
  const isStream = kind === 'send' || kind === 'receive';
  const least = isStream ? (isReceive ? 1 : 0) : layout.ADDRESS_BYTES;
  const most = isStream ? settings.maxTransferBytes : Infinity;
  if (!isInside(core, offset, length) || length < least || length > most) {
    network.violate('limitViolations', `${kind} of ${length} bytes at ${offset}`);
    return;
  }
  if (!settings.checkLent) return;
  if (isReceive) {
    operation.lent = 'filled';
    operation.lentMark = patternRandom.integer(1, 255);
    fillRange(core, offset, length, operation.lentMark);
  } else {
    operation.lent = 'summed';
    operation.lentMark = sumOf(core, offset, length);
  }
}

/** It goes back: nobody has touched it. */
export function takeBack(operation: Operation, core: LentMemory, network: SimNetwork): void {
  const { lent, lentMark, kind, token, offset, length } = operation;
  if (lent === 'nothing') return;
  const isUntouched =
    lent === 'filled'
      ? isFilled(core, offset, length, lentMark)
      : sumOf(core, offset, length) === lentMark;
  if (isUntouched) return;
  network.violate(
    'lentViolations',
    `the range lent to ${kind} (token ${token}) was touched before its completion: ` +
      `${length} bytes at ${offset}`,
  );
}
