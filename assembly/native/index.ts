/**
 * What the native backends need beside the core: a module of its own on the
 * same memory, which only they instantiate. Its exports and nothing else.
 */
export { iocpDirect, iocpPrepare, iocpReap, iocpReturned, iocpShare, iocpSlot } from './iocp';
export { sockaddrRead, sockaddrWrite } from './sockaddr';
export { uringFlush, uringPrepare, uringReap, uringSqe } from './uring';
