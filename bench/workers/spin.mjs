// @ts-check
/**
 * Work of a fixed amount. Not of a fixed time: where threads share a core, waiting for a clock
 * would count time in which others had it.
 */
const CALLS = 200;
const TRIALS = 60;

let state = 1;

/** @param {number} rounds */
export function spin(rounds) {
  let value = state;
  // `| 0` each time: one sum in 2^32 leaves 32 bits, and the compiler would go on in doubles.
  for (let round = 0; round < rounds; round++) {
    value = (Math.imul(value ^ round, 0x9e3779b1) + 1) | 0;
  }
  state = value;
  return value;
}

/**
 * Microseconds of one call, by the fastest trial: what others do on this core only adds.
 * @param {number} rounds
 */
export function spinMicroseconds(rounds) {
  let least = Infinity;
  for (let trial = 0; trial < TRIALS; trial++) {
    const begin = performance.now();
    for (let call = 0; call < CALLS; call++) spin(rounds);
    least = Math.min(least, performance.now() - begin);
  }
  return (least * 1000) / CALLS;
}

/**
 * Rounds that take so long here.
 * @param {number} microseconds
 */
export function roundsFor(microseconds) {
  let rounds = 1000;
  spinMicroseconds(rounds);
  for (let step = 0; step < 3; step++) {
    rounds = Math.max(1, Math.round((rounds * microseconds) / spinMicroseconds(rounds)));
  }
  return rounds;
}
