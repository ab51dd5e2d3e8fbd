/** Medians, spreads and ratios of interleaved rounds. */

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @returns {{median: number, min: number, max: number, count: number}} */
export function spread(values) {
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    count: values.length,
  };
}

/**
 * Ratio of two servers, taken round by round: both of a round ran one after the other, so
 * what slows the machine for a while slows both.
 * @param {(number | undefined)[]} ours one value a round, undefined where it failed
 * @param {(number | undefined)[]} peer
 */
export function ratioByRound(ours, peer) {
  const ratios = [];
  for (let round = 0; round < Math.min(ours.length, peer.length); round++) {
    if (ours[round] !== undefined && peer[round] !== undefined)
      ratios.push(ours[round] / peer[round]);
  }
  return ratios.length === 0 ? undefined : spread(ratios);
}

/**
 * What a ratio says about a bound that it should reach: `yes` and `no` only where all rounds
 * agree, else the median's answer and a mark that the spread hides it.
 * @returns {'yes' | 'no' | 'yes?' | 'no?'}
 */
export function verdict(ratio, bound, wanted = 'least') {
  const holds = (value) => (wanted === 'least' ? value >= bound : value <= bound);
  const certain = holds(ratio.min) === holds(ratio.max);
  return `${holds(ratio.median) ? 'yes' : 'no'}${certain ? '' : '?'}`;
}
