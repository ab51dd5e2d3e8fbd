/** A listening socket: one accept stays armed and completes with each connection. */
import { COMPLETION_MORE, ERROR_CANCELED, NOTHING, OPERATION_ACCEPT } from '#generated/layout';
import { linuxErrno } from '../errno.ts';
import * as c from './constants.ts';
import { type Context, type Entry, NO_TOKEN, type SocketOwner } from './context.ts';
import { TAG_ACCEPT } from './submitter.ts';
import { LinuxError } from './system.ts';

/** Ends of a connection that nobody has seen yet (accept(2) lists them): the next one is waited for. */
const GONE_CLIENT: ReadonlySet<number> = new Set([
  c.ECONNABORTED,
  c.ECONNRESET,
  c.EINTR,
  c.EPERM,
  c.EPROTO,
  c.ENONET,
  c.ENOPROTOOPT,
  c.EOPNOTSUPP,
  c.ENETDOWN,
  c.ENETUNREACH,
  c.EHOSTDOWN,
  c.EHOSTUNREACH,
]);

export class Listener implements SocketOwner {
  readonly #context: Context;
  readonly #entry: Entry;
  /** The accept that the loop has armed, or NO_TOKEN. */
  #token = NO_TOKEN;
  /** The kernel has it. */
  #isArmed = false;
  /** It is asked back. */
  #canceling = false;

  constructor(context: Context, entry: Entry) {
    this.#context = context;
    this.#entry = entry;
  }

  get token(): number {
    return this.#token;
  }

  arm(token: number): void {
    this.#token = token;
    this.#canceling = false;
    this.#begin();
  }

  cancel(): void {
    if (this.#canceling) return;
    this.#canceling = true;
    if (this.#isArmed) this.#context.cancelOperation(this.#token, TAG_ACCEPT);
    else this.#endCanceled();
  }

  /** What the kernel has comes back by the close. */
  closing(): void {
    if (!this.#isArmed) this.#endCanceled();
  }

  #endCanceled(): void {
    if (this.#token === NO_TOKEN) return;
    const token = this.#token;
    this.#token = NO_TOKEN;
    this.#context.reportCanceled(token);
  }

  #begin(): void {
    if (this.#token === NO_TOKEN) return;
    const { memory, submitter, options, ring } = this.#context;
    const { handle, fd } = this.#entry;
    memory.beginRecord(this.#token, OPERATION_ACCEPT, handle);
    const isMultishot = options.multishot && ring.multishot;
    this.#isArmed = submitter.put({
      opcode: c.IORING_OP_ACCEPT,
      fd,
      tag: TAG_ACCEPT,
      token: this.#token,
      priority: isMultishot ? c.IORING_ACCEPT_MULTISHOT : 0,
      flags: c.SOCK_CLOEXEC,
    });
    if (this.#isArmed) memory.count(handle, 1);
    else submitter.wait(() => this.#begin());
  }

  /** A completion of the armed accept. */
  completed(result: number, flags: number): void {
    const { memory, host } = this.#context;
    const entry = this.#entry;
    const token = this.#token;
    if (result >= 0) this.#open(result);
    if ((flags & c.IORING_CQE_F_MORE) !== 0) return;
    this.#isArmed = false;
    memory.count(entry.handle, -1);
    if (entry.closing || this.#canceling) {
      this.#token = NO_TOKEN;
      host.complete(token, ERROR_CANCELED, 0, NOTHING, c.ECANCELED);
    } else if (result >= 0 || GONE_CLIENT.has(-result)) {
      this.#begin();
    } else {
      // No descriptors, no memory: the loop tries again after a while.
      this.#token = NO_TOKEN;
      host.complete(token, linuxErrno.resultOf(-result), 0, NOTHING, -result);
    }
    this.#context.settleClose(entry);
  }

  #open(fd: number): void {
    const { sockets, host, counts } = this.#context;
    const { family, path, closing } = this.#entry;
    sockets.open++;
    if (closing) {
      this.#drop(fd);
      return;
    }
    let connection: Entry;
    try {
      connection = this.#context.adopt(fd, family, 'stream', path);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      counts.acceptsRefused++;
      this.#drop(fd);
      return;
    }
    counts.accepts++;
    host.complete(this.#token, connection.handle, COMPLETION_MORE, NOTHING, 0);
  }

  #drop(fd: number): void {
    const { sockets } = this.#context;
    sockets.resetOnClose(fd);
    sockets.close(fd);
  }
}
