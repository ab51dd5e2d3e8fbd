// @ts-check
/** Medians, spreads and ratios of interleaved rounds. */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = Number(sorted[middle]);
  return sorted.length % 2 === 1 ? upper : (Number(sorted[middle - 1]) + upper) / 2;
}

/**
 * @typedef {{median: number, min: number, max: number, count: number}} Spread
 * @param {readonly number[]} values
 * @returns {Spread}
 */
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
 * @param {readonly (number | undefined)[]} ours one value a round, undefined where it failed
 * @param {readonly (number | undefined)[]} peer
 */
export function ratioByRound(ours, peer) {
  const ratios = [];
  for (let round = 0; round < Math.min(ours.length, peer.length); round++) {
    const [own, other] = [ours[round], peer[round]];
    if (own !== undefined && other !== undefined) ratios.push(own / other);
  }
  return ratios.length === 0 ? undefined : spread(ratios);
}

/**
 * What a ratio says about a bound that it should reach: `yes` and `no` only where all rounds
 * agree, else the median's answer and a mark that the spread hides it.
 * @param {Spread} ratio
 * @param {number} bound
 * @param {'least' | 'most'} [wanted]
 * @returns {string} yes, no, yes? or no?
 */
export function verdict(ratio, bound, wanted = 'least') {
  const holds = (/** @type {number} */ value) =>
    wanted === 'least' ? value >= bound : value <= bound;
  const certain = holds(ratio.min) === holds(ratio.max);
  return `${holds(ratio.median) ? 'yes' : 'no'}${certain ? '' : '?'}`;
}
