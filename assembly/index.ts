/** The ABI: every export of the core and nothing else. */
export {
  lockAcquire,
  lockAcquireStep,
  lockRelease,
  lockTryAcquire,
  stripeOf,
} from './lock';
export { sequencePeek, sequenceReset, sequenceTake } from './sequence';
export {
  storeDrain,
  storeGetNext,
  storeGetNextLocked,
  storeInit,
  storeProcessAndGetNext,
  storeProcessAndGetNextLocked,
} from './reorder';
export {
  poolAcquire,
  poolAddress,
  poolCheck,
  poolInit,
  poolInUse,
  poolLinksBytes,
  poolRelease,
  poolToken,
} from './pool';
export {
  queueClose,
  queueInit,
  queueLength,
  queuePop,
  queuePopStep,
  queuePopWait,
  queuePush,
  queueWake,
} from './queue';
export { arenaAlloc, arenaBlockBytes, arenaFree, arenaGrow, arenaInit, arenaUsed } from './arena';
export { decode, decodeEnd, decodeReclaim, decodeReset } from './frame/decode';
export { encode, encodedBytes, encodedLength, encodeFrame, encodeSeal } from './frame/encode';
export { operationStart } from './operation';
export { send, sendList, sendRaw } from './send';
export { bufferReturn, bufferTake } from './buffer';
export { datagramQueued, datagramRoom } from './datagram';
export { sweep } from './connection/limits';
export {
  connectionBytes,
  connectionCheck,
  connectionCreate,
  connectionDiscard,
  connectionSequences,
} from './connection/record';
export {
  connectionAbort,
  connectionClose,
  connectionEnd,
  connectionHold,
  connectionPause,
  connectionReject,
  connectionResume,
  listenerResume,
} from './connection/request';
export { complete, finish, turn } from './turn/turn';
export { postCall } from './share/call';
export { connectionOffer } from './share/attend';
export { takeOver } from './share/death';
export { releaseClaims } from './share/release';
export { handOver, takeSubmissions } from './share/submissions';
export { ioWake } from './shared-port';
