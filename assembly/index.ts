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
export { bufferReturn, bufferTake } from './receive';
export { datagramQueued, datagramRoom } from './datagram';
export {
  connectionAbort,
  connectionBytes,
  connectionCheck,
  connectionClose,
  connectionCreate,
  connectionDiscard,
  connectionEnd,
  connectionHold,
  connectionPause,
  connectionReject,
  connectionResume,
  connectionSequences,
  listenerResume,
  sweep,
} from './connection';
export { complete, finish, turn } from './turn';
export { postCall } from './call';
export {
  connectionOffer,
  handOver,
  ioWake,
  releaseClaims,
  takeOver,
  takeSubmissions,
} from './share';
