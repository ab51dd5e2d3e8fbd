/** What a port is made of: a core with its memory laid out, and a backend's driver on it. */
import * as layout from '#generated/layout';
import type { BackendHost, Driver } from '../backends/backend.ts';
import { Core } from './core/core.ts';
import {
  operationCount,
  placeRegions,
  type RegionSizes,
  type Regions,
  receiveBufferStride,
  regionBytes,
  type SharingSizes,
} from './core/regions.ts';
import { OverlappedError } from './errors.ts';
import { integerOption, invalidOption } from './options.ts';
import type { PortOptions } from './port-options.ts';
import { type BackendReport, chooseBackend } from './registry.ts';

/** Which backend a port runs on, and why that one. */
export interface PortBackend {
  readonly name: string;
  readonly reason: string;
  readonly tried: readonly BackendReport[];
}

export interface PortParts {
  readonly core: Core;
  readonly regions: Regions;
  readonly driver: Driver;
  readonly backend: PortBackend;
  readonly sizes: RegionSizes;
}

/** What the opening needs to know of the port's place. */
export interface OpeningPlace {
  /** It is driven by `waitAndTurn`, not by the host's event loop. */
  readonly isBlocking: boolean;
  /** The port is shared: how many workers, and locks. */
  readonly sharing?: SharingSizes | undefined;
}

/** A core without anything in it, and the sizes of what is to come. */
interface EmptyCore {
  readonly core: Core;
  readonly sizes: RegionSizes;
  readonly portSizes: BackendHost['sizes'];
}

/** Known once the driver has said what it can do. */
interface Placed {
  regions?: Regions;
  buffersAt: number;
}

/**
 * @param failed see `chooseBackend`; backends that turn out not to work are added
 * @throws OverlappedError as `Port.open`
 */
export async function openParts(
  options: PortOptions,
  place: OpeningPlace,
  failed: Map<string, string> = new Map(),
): Promise<PortParts> {
  const { selection, reason, tried } = await chooseBackend(options.backend, failed);
  const sizes = sizesOf(options, place);
  const bytesOfBackend = (portSizes: BackendHost['sizes']) =>
    selection.memoryBytes?.(selection.options, portSizes) ?? 0;
  const empty = createCore(options, sizes, bytesOfBackend);
  const { core } = empty;
  const placed: Placed = { buffersAt: 0 };
  let driver: Driver;
  try {
    driver = await selection.create(new PlacedHost(empty, placed), selection.options);
  } catch (cause) {
    // The system had no more of what it needs: where nothing was asked for, the next will do.
    if ((options.backend ?? 'auto') !== 'auto') throw cause;
    failed.set(selection.name, cause instanceof Error ? cause.message : String(cause));
    return openParts(options, place, failed);
  }
  if (place.isBlocking && driver.blocks !== true) {
    await driver.dispose();
    const message = `the backend ${selection.name} cannot wait: it needs the host's event loop`;
    throw new OverlappedError('NOT_SUPPORTED', message);
  }
  const regions = placeRegions(core, sizes, driver.limits);
  placed.buffersAt = core.exports.poolAddress(regions.buffers, 0) >>> 0;
  placed.regions = regions;
  return { core, regions, driver, backend: { name: selection.name, reason, tried }, sizes };
}

function sizesOf(options: PortOptions, { sharing }: OpeningPlace): RegionSizes {
  const size = (name: SizeName, otherwise: number, min: number, max: number) =>
    integerOption(name, options[name], otherwise, min, max);
  return {
    maxConnections: size('maxConnections', 16_384, 1, 2 ** 20),
    receiveBufferBytes: size('receiveBufferBytes', 65_536, 64, 2 ** 24),
    receiveBuffers: size('receiveBuffers', 1024, 1, 2 ** 20),
    arenaBytes: size('arenaBytes', 2 ** 27, 2 ** 16, 2 ** 30),
    stateBytes: size('stateBytes', 0, 0, 2 ** 16),
    ...(sharing === undefined ? {} : { sharing }),
  };
}

type SizeName =
  | 'maxConnections'
  | 'receiveBufferBytes'
  | 'receiveBuffers'
  | 'arenaBytes'
  | 'stateBytes';

/** `bytesOfBackend`: what the backend wants of the memory for itself. */
function createCore(
  options: PortOptions,
  sizes: RegionSizes,
  bytesOfBackend: (portSizes: BackendHost['sizes']) => number,
): EmptyCore {
  const { maxConnections, sharing } = sizes;
  const maxOperations = operationCount(sizes);
  const portSizes = { maxConnections, maxOperations, workers: sharing?.workers ?? 0 };
  const memoryBytes = regionBytes(sizes) + bytesOfBackend(portSizes);
  if (memoryBytes > 2 ** 31) {
    throw invalidOption(
      'receiveBuffers × receiveBufferBytes + arenaBytes + maxConnections',
      `${memoryBytes} bytes in all`,
      'at most 2 GiB',
    );
  }
  const shared = options.shared ?? sharing !== undefined;
  return { core: Core.create({ shared, memoryBytes }), sizes, portSizes };
}

/**
 * The port, as its backend sees it. A class, because engines keep an object literal with getters
 * as a hash table, and then look up every call.
 */
class PlacedHost implements BackendHost {
  readonly core: Core;
  readonly sizes: BackendHost['sizes'];
  readonly bufferBytes: number;
  readonly #placed: Placed;
  readonly #bufferStride: number;

  constructor({ core, sizes, portSizes }: EmptyCore, placed: Placed) {
    this.core = core;
    this.sizes = portSizes;
    this.bufferBytes = sizes.receiveBufferBytes;
    this.#placed = placed;
    this.#bufferStride = receiveBufferStride(sizes);
  }

  get #regions(): Regions {
    return this.#placed.regions as Regions;
  }

  complete(
    token: number,
    result: number,
    flags = 0,
    buffer: number = layout.NOTHING,
    systemError = 0,
  ): void {
    const { exports } = this.core;
    const { worker } = this.#regions;
    const queued = exports.complete(worker, token, result, flags, buffer, systemError);
    // The queue holds as many as can be pending: more is a backend's error.
    if (queued < 0) throw OverlappedError.fromResult(queued, 'complete');
  }

  takeBuffer(): number {
    return this.core.exports.bufferTake(this.#regions.worker);
  }

  bufferOffset(slot: number): number {
    return this.#placed.buffersAt + slot * this.#bufferStride;
  }

  returnBuffer(slot: number): void {
    this.core.exports.bufferReturn(this.#regions.worker, slot);
  }

  get operations(): number {
    return this.#regions.firstOperation;
  }

  get operationCapacity(): number {
    return this.#regions.operationCapacity;
  }

  get completions(): number {
    return this.#regions.completions;
  }

  get port(): number {
    return this.#regions.port;
  }
}
