/**
 * A connection on the bare handle of an accepted TCP or pipe connection (Node).
 * See node-internals.ts for why, and for how it is made sure that the host is one
 * in which this works.
 */
import { setImmediate } from 'node:timers';
import { getSystemErrorName } from 'node:util';
import type { SocketAddress, StreamOptions } from '../backend.ts';
import { type Failure, failureOf } from '../stream/failure.ts';
import { StreamConnection } from './connection.ts';
import type { NetContext } from './context.ts';
import { writeSends } from './direct-write.ts';
import type { HandleAddress, Internals, Request, StreamHandle } from './node-internals.ts';
import type { SendRecord } from './sends.ts';
import { handleLostPeer } from './system.ts';

interface ShutdownRequest extends Request {
  connection?: HandleConnection | undefined;
}

/** What libuv says of a connection whose peer is gone already: its end needs no FIN any more. */
const NOT_CONNECTED = 'ENOTCONN';

/** What Node's read callback looks at when the peer has ended. */
interface StreamState {
  readonly endEmitted: boolean;
}
const NOT_ENDED: StreamState = { endEmitted: false };

export class HandleConnection extends StreamConnection {
  readonly #internals: Internals;
  /** Until it is told to close. */
  #stream: StreamHandle | undefined;
  #reading = false;
  #shutdownDone = false;
  /** What follows when the shutdown that is under way is done. */
  #afterShutdown: (() => void) | undefined;
  /** IPv4: address × 65536 + port, which takes a tenth of the object's room. */
  #peer: number | SocketAddress | undefined;
  #local: SocketAddress | undefined;

  constructor(
    context: NetContext,
    path: string | undefined,
    internals: Internals,
    stream: StreamHandle,
  ) {
    super(context, path);
    this.#internals = internals;
    this.#stream = stream;
    (stream as unknown as Record<symbol, unknown>)[internals.owner] = this;
    stream.onread = internals.onread;
    stream.useUserBuffer(context.scratchRange);
    if (path === undefined) this.#peer = readPeer(stream);
  }

  /** The handle, for writing. */
  get stream(): StreamHandle | undefined {
    return this.#stream;
  }

  // ---------------------------------------------------------------- what Node's read callback asks of its stream

  /** The symbols that it asks for; once per process. */
  static prepare(internals: Internals): void {
    if (internals.bufferCallback in HandleConnection.prototype) return;
    Object.defineProperties(HandleConnection.prototype, {
      [internals.updateTimer]: { value(): void {} },
      [internals.buffer]: {
        get(this: HandleConnection): Uint8Array {
          return this.context.scratchRange;
        },
      },
      [internals.bufferCallback]: {
        value(this: HandleConnection, length: number): boolean {
          return this.#onRead(length);
        },
      },
      [internals.bufferGenerator]: { value: null },
    });
  }

  get destroyed(): boolean {
    return this.#stream === undefined;
  }

  get _readableState(): StreamState {
    return NOT_ENDED;
  }

  /** The peer ended; `null` is all that is ever pushed, as bytes go to the scratch range. */
  push(_end: null): void {
    if (this.#stream === undefined) return;
    this.#reading = false;
    this.onEnd();
  }

  /** Reading failed. */
  destroy(error: Error): void {
    this.failTransport(failureOf(error));
  }

  on(): void {}
  read(): void {}

  #onRead(length: number): boolean {
    const { scratch, scratchOffset } = this.context;
    const goesOn = this.takeBytes(scratch, scratchOffset, length);
    // Node stops the reading itself then.
    if (!goesOn) this.#reading = false;
    return goesOn;
  }

  // ---------------------------------------------------------------- flow

  protected pauseReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#stream?.readStop();
  }

  protected resumeReading(): void {
    const stream = this.#stream;
    if (this.#reading || stream === undefined || this.receiveEnded) return;
    this.#reading = true;
    const status = stream.readStart();
    if (status !== 0) this.failTransport(failureOfStatus(status));
  }

  // ---------------------------------------------------------------- sending

  flush(): void {
    const first = this.unwritten;
    if (first === undefined) return;
    this.unwritten = undefined;
    if (this.#stream === undefined) return;
    const status = writeSends(this, this.#stream, this.context, this.#internals, first);
    if (status === 0) this.written(first);
    else if (status < 0) this.failTransport(failureOfStatus(status));
  }

  /** The last send of the writes that are under way, for the request. */
  get newest(): SendRecord | undefined {
    return this.lastSend;
  }

  /** A write that the system took over is done: the sends up to `last` with it. */
  onWritten(last: SendRecord, status: number): void {
    // A closed handle calls back its writes too: then `settle` follows.
    if (this.#stream === undefined || last.connection !== this) return;
    if (status < 0) this.failTransport(failureOfStatus(status));
    else if (this.firstSend !== undefined) this.written(this.firstSend, last);
  }

  protected endWriting(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const request: ShutdownRequest = new this.#internals.ShutdownRequest();
    request.connection = this;
    request.oncomplete = onShutdown;
    const status = stream.shutdown(request);
    // 1: done at once. 0: it calls back.
    if (status !== 0) this.onShutdown(status);
  }

  onShutdown(status: number): void {
    // A closed handle calls back its shutdown too: then `settle` follows.
    if (this.#shutdownDone || this.#stream === undefined) return;
    this.#shutdownDone = true;
    const failed = status < 0 && getSystemErrorName(status) !== NOT_CONNECTED;
    this.onShut(failed ? failureOfStatus(status) : undefined);
    this.#afterShutdown?.();
    this.#afterShutdown = undefined;
  }

  // ---------------------------------------------------------------- closing

  /** The connection is broken: nothing can be read or written any more. */
  failTransport(failure: Failure): void {
    if (this.#stream === undefined) return;
    this.context.count('streamErrors');
    this.fail(failure);
    this.#closeStream();
  }

  protected closeTransport(reset: boolean): void {
    // Else it is closing, and `onClose` is still to come.
    if (this.#stream === undefined) return;
    if (reset) this.#reset(this.#stream);
    else if (this.failure !== undefined || this.firstSend !== undefined) this.#closeStream();
    else this.#closeGently();
  }

  /** FIN, then what the peer has sent up to now is read: closing over unread bytes would reset. */
  #closeGently(): void {
    if (this.#shutdownDone && this.receiveEnded) {
      this.#closeStream();
      return;
    }
    const finish = (): void => {
      setImmediate(() => this.#closeStream());
    };
    this.resumeReading();
    if (this.#shutdownDone) finish();
    else {
      this.#afterShutdown = finish;
      if (!this.ending) {
        this.ending = true;
        this.endWriting();
      }
    }
  }

  #reset(stream: StreamHandle): void {
    if (this.path !== undefined || stream.reset === undefined) this.#closeStream();
    else if (this.ending && !this.#shutdownDone) {
      // Its FIN is under way; resetting now would fail and leave the handle open.
      this.#afterShutdown = () => this.#resetStream();
    } else this.#resetStream();
  }

  #resetStream(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#leaveStream(stream);
    const status = stream.reset?.(() => this.onClose());
    // It then is in a state in which it cannot be closed either; the loop must not wait for it.
    if (status !== 0) setImmediate(() => this.onClose());
  }

  #closeStream(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#leaveStream(stream);
    stream.close(() => this.onClose());
  }

  #leaveStream(stream: StreamHandle): void {
    this.#local = this.localAddress();
    this.#stream = undefined;
    if (this.#reading) stream.readStop();
    this.#reading = false;
  }

  protected lostPeer(): boolean {
    return handleLostPeer(this.#stream);
  }

  // ---------------------------------------------------------------- the rest

  localAddress(): SocketAddress | undefined {
    if (this.path !== undefined) return { address: this.path, port: 0, family: 'path' };
    const out: HandleAddress = {};
    if (this.#stream?.getsockname?.(out) !== 0) return this.#local;
    return addressOf(out);
  }

  remoteAddress(): SocketAddress | undefined {
    if (this.path !== undefined) return { address: this.path, port: 0, family: 'path' };
    const peer = this.#peer;
    if (typeof peer !== 'number') return peer;
    const ip = Math.floor(peer / 65536);
    const address = `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`;
    return { address, port: peer % 65536, family: 'IPv4' };
  }

  configure(options: StreamOptions): void {
    if (this.path !== undefined) return;
    this.#stream?.setNoDelay?.(options.noDelay);
    const seconds = Math.trunc(options.keepAliveMs / 1000);
    this.#stream?.setKeepAlive?.(options.keepAliveMs > 0, seconds);
  }

  setReferenced(referenced: boolean): void {
    if (referenced) this.#stream?.ref();
    else this.#stream?.unref();
  }
}

function onShutdown(this: ShutdownRequest, status: number): void {
  this.connection?.onShutdown(status);
}

function failureOfStatus(status: number): Failure {
  return failureOf({ code: getSystemErrorName(status) });
}

/** The peer's address, asked for while it is there: a connection that was reset has none any more. */
function readPeer(stream: StreamHandle): number | SocketAddress | undefined {
  const out: HandleAddress = {};
  if (stream.getpeername?.(out) !== 0) return undefined;
  const address = addressOf(out);
  if (address?.family !== 'IPv4') return address;
  let ip = 0;
  for (const part of address.address.split('.')) ip = ip * 256 + Number(part);
  return ip * 65536 + address.port;
}

function addressOf({ address, port, family }: HandleAddress): SocketAddress | undefined {
  if (address === undefined || port === undefined) return undefined;
  return { address, port, family: String(family).endsWith('6') ? 'IPv6' : 'IPv4' };
}
