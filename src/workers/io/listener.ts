/** What a server with workers needs of the listening half, which is its own thread's. */
import type { ListenerOptions, SocketAddress } from '../../../backends/backend.ts';
import type { Profile } from '../../profile.ts';

/** A listener of this thread: a `Server`. */
export interface Listener {
  readonly address: SocketAddress;
  /** What its connections have in common. */
  readonly profile: Profile;
  /** The backend's handle. */
  readonly listenerHandle: number;
  statistics(): { readonly acceptErrors: number };
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}

/** Sockets go from one thread to another. */
export type HandOverOptions = Pick<ListenerOptions, 'handOver' | 'adopts'>;

/** `listen` without workers. */
export type Listen = (options: object, handOver?: HandOverOptions) => Promise<Listener>;
