/** Where the words of a pair of rings lie, as io_uring_params tells it. */
import * as c from './constants.ts';

/** Where a word of the rings lies: bytes from the start of linear memory, or of the kernel's rings. */
export interface RingPlaces {
  readonly sqHead: number;
  readonly sqTail: number;
  readonly sqFlags: number;
  readonly indices: number;
  readonly cqHead: number;
  readonly cqTail: number;
  readonly cqOverflow: number;
  readonly cqFlags: number;
  readonly cqes: number;
}

/** The same as indices of 32-bit words. */
export type RingWords = Omit<RingPlaces, 'indices' | 'cqes'>;

/** As the kernel has laid them out, from `base` on. */
export function ringPlaces(params: DataView, base: number): RingPlaces {
  const { io_uring_params: record, io_sqring_offsets: sq, io_cqring_offsets: cq } = c;
  const at = (field: number) => base + params.getUint32(field, true);
  return {
    sqHead: at(record.sq_off + sq.head),
    sqTail: at(record.sq_off + sq.tail),
    sqFlags: at(record.sq_off + sq.flags),
    indices: at(record.sq_off + sq.array),
    cqHead: at(record.cq_off + cq.head),
    cqTail: at(record.cq_off + cq.tail),
    cqOverflow: at(record.cq_off + cq.overflow),
    cqFlags: at(record.cq_off + cq.flags),
    cqes: at(record.cq_off + cq.cqes),
  };
}

/** Where a copy of rings that lie elsewhere has its words. */
export function copyPlaces(base: number): RingPlaces {
  const at = (index: number) => base + 4 * index;
  return {
    sqHead: at(0),
    sqTail: at(1),
    sqFlags: at(2),
    indices: at(3),
    cqHead: at(4),
    cqTail: at(5),
    cqOverflow: at(6),
    cqFlags: at(7),
    cqes: at(16),
  };
}

export function wordsOf({ indices: _, cqes: __, ...places }: RingPlaces): RingWords {
  const words = Object.entries(places).map(([name, place]) => [name, place >>> 2]);
  return Object.fromEntries(words) as RingWords;
}

/** Entries are submitted in the order they lie in. */
export function fillIndices(u32: Uint32Array, at: number, params: DataView): void {
  const entries = params.getUint32(c.io_uring_params.sq_entries, true);
  for (let index = 0; index < entries; index++) u32[(at >>> 2) + index] = index;
}
