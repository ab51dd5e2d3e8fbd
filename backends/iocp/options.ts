/** What can be chosen of the backend `iocp`. */

export interface IocpOptions {
  /** AcceptEx calls kept pending on each listener, 1 to 256. Default 16. */
  readonly acceptDepth?: number;
  /**
   * Most receives pending on a connection that does not say how many, 1 to 64:
   * one, and the others while receives come back full. Default 2: while one is
   * handled the system fills the other.
   */
  readonly receiveDepth?: number;
  /**
   * Sends that may be pending on one connection, 1 to 64. Default 1: further
   * messages are coalesced behind the one in flight. Above 1 every send is an
   * overlapped one of its own, and their completions are put in order.
   */
  readonly sendDepth?: number;
  /**
   * Try each send at once before making it overlapped: what the system takes
   * without waiting costs no packet. Only with `sendDepth` 1. Default true.
   */
  readonly directSends?: boolean;
  /**
   * Take what a stream's call completes at once from the call itself, without a
   * packet (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS), where every service provider
   * allows it (XP1_IFS_HANDLES): as Node does for its own sockets. Default true.
   */
  readonly skipPackets?: boolean;
  /**
   * Receives that lend nothing: a zero-byte receive waits for bytes, a second
   * one takes them. `'always'` suits many idle connections (each pending receive
   * locks its buffer in memory; past what the system allows comes WSAENOBUFS).
   * `'scarce'` (default): only while three quarters of the receive buffers are
   * in use, so that silent peers cannot starve the others.
   */
  readonly zeroByteReceives?: 'never' | 'scarce' | 'always';
  /** Passes of the event loop that find nothing before a thread waits for packets. Default 20. */
  readonly idlePasses?: number;
}

export interface CheckedOptions {
  readonly acceptDepth: number;
  readonly receiveDepth: number;
  readonly sendDepth: number;
  readonly directSends: boolean;
  readonly skipPackets: boolean;
  readonly zeroByteReceives: 'never' | 'scarce' | 'always';
  readonly idlePasses: number;
}

/** @throws RangeError on an impossible option */
export function checkOptions(options: IocpOptions): CheckedOptions {
  const integer = (name: keyof IocpOptions, otherwise: number, least: number, most: number) => {
    const value = options[name] ?? otherwise;
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) {
      return Number(value);
    }
    throw new RangeError(`iocp: ${name} is ${String(value)}; allowed is ${least} to ${most}`);
  };
  const { zeroByteReceives = 'scarce' } = options;
  if (!['never', 'scarce', 'always'].includes(zeroByteReceives)) {
    throw new RangeError(
      `iocp: zeroByteReceives is ${String(zeroByteReceives)}; allowed is never, scarce, always`,
    );
  }
  const sendDepth = integer('sendDepth', 1, 1, 64);
  return {
    acceptDepth: integer('acceptDepth', 16, 1, 256),
    receiveDepth: integer('receiveDepth', 2, 1, 64),
    sendDepth,
    directSends: (options.directSends ?? true) && sendDepth === 1,
    skipPackets: options.skipPackets ?? true,
    zeroByteReceives,
    idlePasses: integer('idlePasses', 20, 0, 1_000_000),
  };
}
