/**
 * A log-linear histogram: every power of two is divided into 64 equal buckets,
 * so a percentile is off by less than 1.6 % whatever its size, in fixed memory.
 */
const SUB_BUCKET_BITS = 6;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
/** The largest value told apart, 2^40: twelve days in microseconds. */
const MAX_EXPONENT = 40;

export class Histogram {
  readonly #counts = new Float64Array((MAX_EXPONENT - SUB_BUCKET_BITS + 1) * SUB_BUCKETS);
  #total = 0;
  #max = 0;

  get total(): number {
    return this.#total;
  }

  get max(): number {
    return this.#max;
  }

  /** Counts one value, which is not negative. */
  record(value: number): void {
    const index = Math.min(bucketOf(value), this.#counts.length - 1);
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#total++;
    if (value > this.#max) this.#max = value;
  }

  /**
   * The least value that `percent` of all values do not exceed, to the width of
   * its bucket; 0 where nothing was recorded.
   */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.ceil((this.#total * percent) / 100));
    let seen = 0;
    // What is too large for its own bucket is in the last one.
    for (let index = 0; index < this.#counts.length - 1; index++) {
      seen += this.#counts[index] as number;
      if (seen >= wanted) return Math.min(upperEdge(index), this.#max);
    }
    return this.#max;
  }
}

function bucketOf(value: number): number {
  const whole = Math.floor(value);
  if (whole < SUB_BUCKETS) return whole;
  const exponent = Math.floor(Math.log2(whole));
  // Division instead of shifts: values go beyond 32 bits.
  const sub = Math.floor(whole / 2 ** (exponent - SUB_BUCKET_BITS)) - SUB_BUCKETS;
  return (exponent - SUB_BUCKET_BITS + 1) * SUB_BUCKETS + sub;
}

function upperEdge(index: number): number {
  if (index < SUB_BUCKETS) return index;
  const exponent = Math.floor(index / SUB_BUCKETS) + SUB_BUCKET_BITS - 1;
  const sub = index % SUB_BUCKETS;
  return (SUB_BUCKETS + sub + 1) * 2 ** (exponent - SUB_BUCKET_BITS) - 1;
}
