/** Interleaved rounds over servers and workloads, and the ratios within them. */
import { progress } from './report.mjs';
import { ratioByRound, verdict } from './statistics.mjs';

/**
 * Reads `CONNECTIONSxIN_FLIGHT[xSIZE]`.
 * @param {string} text
 * @returns {{text: string, connections: number, inFlight: number, size: number | undefined}}
 */
export function parseWorkload(text) {
  const match = /^(\d+)x(\d+)(?:x(\d+))?$/.exec(text);
  if (!match) throw new Error(`a workload is CONNECTIONSxIN_FLIGHT[xSIZE], not ${text}`);
  const [connections, inFlight, size] = match.slice(1).map((part) => part && Number(part));
  return { text, connections, inFlight, size };
}

/** Numbers above 0 out of the command line's texts. */
export function parseSettings(texts) {
  const settings = {};
  for (const [name, text] of Object.entries(texts)) {
    const value = Number(text);
    if (!(value > 0)) throw new Error(`--${name}: a number above 0`);
    settings[name] = value;
  }
  return settings;
}

/** The arguments of the load generator, but for those that only some callers have. */
export function loadArguments(port, { connections, inFlight, size }, settings) {
  const counts = [connections, inFlight, size ?? settings.size, settings.seconds];
  return ['127.0.0.1', port, ...counts, '--warmup', settings.warmup];
}

/**
 * Runs each server once with each workload, `rounds` times.
 * @param {string[]} servers
 * @param {ReturnType<typeof parseWorkload>[]} workloads
 * @param {(name: string, workload: ReturnType<typeof parseWorkload>) => Promise<object>} runOnce what the load generator found
 */
export async function runRounds(servers, workloads, rounds, runOnce) {
  const results = workloads.map((workload) => ({
    workload,
    runs: Object.fromEntries(servers.map((name) => [name, []])),
  }));
  const failures = [];
  for (let round = 0; round < rounds; round++) {
    // Odd rounds run backwards, so that no server always follows the same one.
    const order = round % 2 === 0 ? servers : [...servers].reverse();
    for (const { workload, runs } of results) {
      for (const name of order) {
        progress(`round ${round + 1}/${rounds}  ${workload.text}  ${name}`);
        try {
          runs[name][round] = await runOnce(name, workload);
        } catch (error) {
          runs[name][round] = undefined;
          failures.push({ server: name, workload: workload.text, round, message: error.message });
        }
      }
    }
  }
  progress('');
  return { results, failures };
}

/**
 * @param results of `runRounds`
 * @param promises ours, the peer, and the least ratio of messages per second: one number,
 *   or by the text of a workload; undefined where nothing is promised
 */
export function ratiosOf(results, promises) {
  const ratios = [];
  for (const [ours, peer, promised] of promises) {
    for (const { workload, runs } of results) {
      if (!runs[ours] || !runs[peer]) continue;
      const of = (name, key) => runs[name].map((run) => run?.[key]);
      const rate = ratioByRound(of(ours, 'messagesPerSecond'), of(peer, 'messagesPerSecond'));
      const cpuKey = 'serverCpuNsPerMessage';
      const cpu = ratioByRound(of(peer, cpuKey), of(ours, cpuKey));
      if (!rate || !cpu) continue;
      const bound = typeof promised === 'object' ? promised[workload.text] : promised;
      const reached = bound === undefined ? '' : verdict(rate, bound);
      ratios.push({ ours, peer, workload: workload.text, rate, cpu, bound, reached });
    }
  }
  return ratios;
}
