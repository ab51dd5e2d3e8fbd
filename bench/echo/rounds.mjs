// @ts-check
/** Workloads, settings, and interleaved rounds over them. */

/**
 * @typedef {object} Workload
 * @property {string} text as it was given
 * @property {number} connections
 * @property {number} inFlight
 * @property {number | undefined} size of a frame in bytes, header included
 * @property {number} [active] connections that send; by default all
 *
 * @typedef {import('./processes.mjs').LoadFigures} LoadFigures
 */

/**
 * Reads `CONNECTIONSxIN_FLIGHT[xSIZE]`.
 * @param {string} text
 * @returns {Workload}
 */
export function parseWorkload(text) {
  const match = /^(\d{1,6})x(\d{1,6})(?:x(\d{1,8}))?$/.exec(text);
  const [connections, inFlight, size] = (match ?? []).slice(1).map((part) => part && Number(part));
  if (!connections || !inFlight || size === 0) {
    throw new Error(`a workload is CONNECTIONSxIN_FLIGHT[xSIZE], not ${text}`);
  }
  return { text, connections, inFlight, size: size || undefined };
}

/**
 * Numbers above 0 out of the command line's texts.
 * @template {string} Name
 * @param {Readonly<Record<Name, string | number | undefined>>} texts
 */
export function parseSettings(texts) {
  const settings = /** @type {Record<Name, number>} */ ({});
  for (const [name, text] of Object.entries(texts)) {
    const value = Number(text);
    if (!(value > 0)) throw new Error(`--${name}: a number above 0`);
    settings[/** @type {Name} */ (name)] = value;
  }
  return settings;
}

/**
 * The arguments of the load generator, but for those that only some callers have.
 * @param {number} port
 * @param {Workload} workload
 * @param {{size: number, seconds: number, warmup: number}} settings
 * @returns {(string | number)[]}
 */
export function loadArguments(port, { connections, inFlight, size, active }, settings) {
  const counts = [connections, inFlight, size ?? settings.size, settings.seconds];
  const sending = active === undefined ? [] : ['--active', active];
  return ['127.0.0.1', port, ...counts, '--warmup', settings.warmup, ...sending];
}

/**
 * @typedef {object} WorkloadRuns
 * @property {Workload} workload
 * @property {Record<string, (LoadFigures | undefined)[]>} runs by server, one a round;
 *   undefined where it failed
 *
 * @typedef {object} Failure
 * @property {string} server
 * @property {string} workload
 * @property {number} round
 * @property {string} message
 */

/**
 * Runs each server once with each workload, `rounds` times.
 * @param {readonly string[]} servers
 * @param {readonly Workload[]} workloads
 * @param {number} rounds
 * @param {(name: string, workload: Workload) => Promise<LoadFigures>} runOnce what the load generator found
 * @param {(done: number, all: number, text: string) => void} [progress]
 * @returns {Promise<{results: WorkloadRuns[], failures: Failure[]}>}
 */
export async function runRounds(servers, workloads, rounds, runOnce, progress = () => {}) {
  /** @type {WorkloadRuns[]} */
  const results = workloads.map((workload) => ({
    workload,
    runs: Object.fromEntries(servers.map((name) => [name, []])),
  }));
  /** @type {Failure[]} */
  const failures = [];
  let done = 0;
  const all = rounds * workloads.length * servers.length;
  for (let round = 0; round < rounds; round++) {
    // Odd rounds run backwards, so that no server always follows the same one.
    const order = round % 2 === 0 ? servers : [...servers].reverse();
    for (const { workload, runs } of results) {
      for (const name of order) {
        progress(done++, all, `round ${round + 1}/${rounds}  ${workload.text}  ${name}`);
        const ofServer = /** @type {(LoadFigures | undefined)[]} */ (runs[name]);
        try {
          ofServer[round] = await runOnce(name, workload);
        } catch (error) {
          ofServer[round] = undefined;
          const message = error instanceof Error ? error.message : String(error);
          failures.push({ server: name, workload: workload.text, round, message });
        }
      }
    }
  }
  return { results, failures };
}
