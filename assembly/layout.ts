/**
 * Every record that lives in linear memory: its fields, their order, and the
 * numbers that host and core exchange. The files of `layout` are the one source:
 * the build compiles them, reads offsets and constants out of the compiled
 * module and writes the host's copy from them, so the two cannot differ.
 *
 * Rules: `@unmanaged` classes only; fields ordered so that natural alignment
 * leaves no hole; sizes padded by hand to a multiple of 8. A record embedded
 * in another one is placed by a constant (`CONNECTION_DECODER`), because a
 * field of class type would be a pointer. Numbers of enumerations are part of
 * the ABI: append, never renumber.
 */
export * from './layout/result';
export * from './layout/primitives';
export * from './layout/completion';
export * from './layout/framing';
export * from './layout/event';
export * from './layout/operation';
export * from './layout/transfer';
export * from './layout/connection';
export * from './layout/port';
export * from './layout/shared';
export * from './layout/iocp';
export * from './layout/uring';
