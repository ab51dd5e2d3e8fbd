/** The part of Bun's socket interface that this backend uses. */

export interface BunSocket<Data> {
  data: Data;
  readonly readyState: number;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly localFamily?: string;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly remoteFamily?: string;
  /** Takes what the system takes now and keeps nothing; negative once it is closed. */
  write(bytes: Uint8Array, byteOffset?: number, byteLength?: number): number;
  /** Ends the send side. */
  shutdown(): void;
  /** Closes; the system sends what it was given, then FIN. */
  close(): void;
  /** Closes with RST. */
  terminate(): void;
  pause(): void;
  resume(): void;
  ref(): void;
  unref(): void;
  setNoDelay(noDelay: boolean): void;
  setKeepAlive(enable: boolean, initialDelayMs: number): void;
}

export interface BunSocketHandlers<Data> {
  open(socket: BunSocket<Data>): void;
  data(socket: BunSocket<Data>, chunk: Uint8Array): void;
  drain(socket: BunSocket<Data>): void;
  end(socket: BunSocket<Data>): void;
  close(socket: BunSocket<Data>, error?: Error): void;
  error(socket: BunSocket<Data>, error: Error): void;
  connectError?(socket: BunSocket<Data>, error: Error): void;
}

export interface BunListener {
  readonly port: number;
  readonly hostname: string;
  /** Fills in `address`, `port` and `family`. */
  getsockname?(out: { address?: string; port?: number }): void;
  stop(closeConnections: boolean): void;
  ref(): void;
  unref(): void;
}

export type BunAddress =
  | { readonly hostname: string; readonly port: number }
  | { readonly unix: string };

export interface BunUdpSocket {
  readonly address: { readonly address: string; readonly port: number; readonly family: string };
  readonly closed: boolean;
  /** False: the system has no room now; `drain` follows. */
  send(bytes: Uint8Array, port?: number, address?: string): boolean;
  setBroadcast(enable: boolean): void;
  close(): void;
  ref(): void;
  unref(): void;
}

export interface BunUdpOptions {
  readonly hostname: string;
  readonly port: number;
  readonly connect?: { readonly hostname: string; readonly port: number };
  readonly reuseAddr?: boolean;
  readonly ipv6Only?: boolean;
  readonly socket: {
    data(socket: BunUdpSocket, payload: Uint8Array, port: number, address: string): void;
    drain(socket: BunUdpSocket): void;
    error(...details: unknown[]): void;
  };
}

export interface BunApi {
  readonly version: string;
  listen<Data>(
    options: BunAddress & {
      readonly allowHalfOpen: boolean;
      readonly reusePort?: boolean;
      readonly ipv6Only?: boolean;
      readonly exclusive?: boolean;
      readonly backlog?: number;
      readonly data?: Data;
      readonly socket: BunSocketHandlers<Data>;
    },
  ): BunListener;
  connect<Data>(
    options: BunAddress & {
      readonly allowHalfOpen: boolean;
      readonly data: Data;
      readonly socket: BunSocketHandlers<Data>;
    },
  ): Promise<BunSocket<Data>>;
  udpSocket(options: BunUdpOptions): Promise<BunUdpSocket>;
}

/** A buffer as this engine has it (ES2024). */
export interface TransferableBuffer extends ArrayBuffer {
  /** Moves its first bytes to a new buffer; this one is detached, and its memory freed. */
  transfer(newLengthBytes: number): ArrayBuffer;
}

/** The Bun that runs this, if it is Bun. */
export const bunApi: BunApi | undefined = (globalThis as { readonly Bun?: BunApi }).Bun;
