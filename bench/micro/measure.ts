/** Runs the versions of a case in turn, round after round, and checks what they computed. */
import { measure as mitata } from 'mitata/src/lib.mjs';
import {
  DIGEST_SEED,
  type MicroCase,
  mix,
  NATIVE,
  type Role,
  type Version,
  type Work,
} from './case.ts';

/** How long to measure. */
export interface Effort {
  /** 0: only what versions compute is compared. */
  readonly rounds: number;
  /** Of one version in one round. */
  readonly sampleMs: number;
}

/** A program in C that does the same work; see `native.ts`. */
export interface NativeProgram {
  /** Sets a kernel up and makes one checked pass. */
  open(work: NonNullable<Work['native']>): Promise<Checked>;
  /** Nanoseconds of so many passes. */
  run(passes: number): Promise<{ readonly ns: number; readonly units: number }>;
}

/** What a pass computed. */
export interface Checked {
  /** Units of one pass. */
  readonly units: number;
  readonly digest: number;
}

export interface VersionResult {
  readonly name: string;
  readonly role: Role;
  /** Nanoseconds a unit, one figure a round; empty where it failed. */
  readonly ns: readonly number[];
  readonly checksum: string;
  readonly failed?: string;
}

export interface CaseResult {
  readonly id: string;
  readonly versions: readonly VersionResult[];
}

/** A pass is repeated until a call takes about so long: clocks in browsers are coarse. */
const CALL_NS = 400_000;
/** Hosts compile a loop anew once it has run for a while; before that a figure means nothing. */
const WARM_NS = 25_000_000;

const now = (): number => performance.now() * 1e6;

export function checksumText({ units, digest }: Checked): string {
  return `${units.toString(16)}-${(digest >>> 0).toString(16).padStart(8, '0')}`;
}

/** One pass with a look at the result of each step. */
export function check(version: Version): Checked {
  let digest = DIGEST_SEED;
  let units = 0;
  for (let index = 0; index < version.steps; index++) {
    units += version.step(index);
    digest = mix(digest, version.digest());
  }
  return { units, digest };
}

/** `passes` passes; the number of units. */
function run(version: Version, passes: number): number {
  const { steps } = version;
  let units = 0;
  for (let pass = 0; pass < passes; pass++) {
    for (let index = 0; index < steps; index++) units += version.step(index);
  }
  return units;
}

/** A version under measurement. */
interface Runner {
  readonly name: string;
  readonly role: Role;
  readonly checked: Checked;
  readonly ns: number[];
  failed: string | undefined;
  /** Units of one pass that are missing or too many in timed passes: the version cheats or is broken. */
  sample(sampleMs: number): Promise<number>;
}

function runnerOf(version: Version, warmNs: number): Runner {
  const checked = check(version);
  // Warm, and find how many passes a call is to make.
  let passes = 1;
  let wrong = false;
  const verify = (units: number, count: number) => {
    if (units !== checked.units * count) wrong = true;
  };
  const warmUntil = now() + warmNs;
  for (let perPass = 0; warmNs > 0; ) {
    const began = now();
    verify(run(version, passes), passes);
    const ended = now();
    perPass = (ended - began) / passes;
    if (ended - began < CALL_NS / 2) {
      const wanted = perPass > 0 ? Math.ceil(CALL_NS / perPass) : passes * 16;
      passes = Math.min(Math.max(wanted, passes + 1), passes * 16);
    }
    if (ended >= warmUntil && (ended - began >= CALL_NS / 2 || passes >= 1e6)) break;
  }
  const call = () => verify(run(version, passes), passes);
  return {
    name: version.name,
    role: version.role,
    checked,
    ns: [],
    failed: undefined,
    async sample(sampleMs) {
      const { p50 } = await mitata(call, {
        // One call a sample: the passes in it are the batch. No collection in between.
        batch_threshold: -1,
        gc: false as never,
        heap: false as never,
        min_samples: 3,
        max_samples: 4096,
        min_cpu_time: sampleMs * 1e6,
        warmup_samples: 1,
      });
      if (wrong) this.failed = 'a timed pass did not give as many units as the checked one';
      return p50 / (passes * checked.units);
    },
  };
}

async function nativeRunner(
  program: NativeProgram,
  work: NonNullable<Work['native']>,
  warm: boolean,
): Promise<Runner> {
  const checked = await program.open(work);
  let passes = 1;
  while (warm) {
    const { ns } = await program.run(passes);
    if (ns >= CALL_NS / 2 || passes > 1e6) break;
    passes = Math.min(
      Math.max(Math.ceil((passes * CALL_NS) / Math.max(ns, 1)), passes + 1),
      passes * 16,
    );
  }
  const runner: Runner = {
    name: NATIVE,
    role: 'ceiling',
    checked,
    ns: [],
    failed: undefined,
    async sample(sampleMs) {
      const samples: number[] = [];
      let spent = 0;
      while (samples.length < 3 || (spent < sampleMs * 1e6 && samples.length < 4096)) {
        const { ns, units } = await program.run(passes);
        if (units !== checked.units * passes)
          runner.failed = 'a timed pass did not give as many units as the checked one';
        samples.push(ns / (passes * checked.units));
        spent += ns;
      }
      samples.sort((a, b) => a - b);
      return samples[samples.length >> 1] as number;
    },
  };
  return runner;
}

/** Fails whoever computed something else than most did, and all where there is no majority. */
function compare(runners: readonly Runner[]): void {
  const votes = new Map<string, number>();
  for (const { checked } of runners) {
    const text = checksumText(checked);
    votes.set(text, (votes.get(text) ?? 0) + 1);
  }
  const [wanted, count] = [...votes].reduce((best, next) => (next[1] > best[1] ? next : best));
  for (const runner of runners) {
    const text = checksumText(runner.checked);
    if (runner.checked.units === 0) runner.failed = 'it computed nothing';
    else if (count * 2 <= runners.length && votes.size > 1) {
      runner.failed = `checksum ${text}, and no two agree: ${[...votes.keys()].join(', ')}`;
    } else if (text !== wanted) runner.failed = `checksum ${text} instead of ${wanted}`;
  }
}

/** Measures one case. Versions take turns, and each round begins with another one. */
export async function measureCase(
  { id, open }: Pick<MicroCase, 'id' | 'open'>,
  effort: Effort,
  native?: NativeProgram,
): Promise<CaseResult> {
  const work = await open();
  try {
    const warmNs = effort.rounds > 0 ? WARM_NS : 0;
    const runners = work.versions.map((version) => runnerOf(version, warmNs));
    if (native !== undefined && work.native !== undefined) {
      runners.push(await nativeRunner(native, work.native, warmNs > 0));
    }
    compare(runners);
    for (let round = 0; round < effort.rounds; round++) {
      for (let place = 0; place < runners.length; place++) {
        const runner = runners[(round + place) % runners.length] as Runner;
        if (runner.failed === undefined) runner.ns.push(await runner.sample(effort.sampleMs));
      }
    }
    return {
      id,
      versions: runners.map(({ name, role, ns, checked, failed }) => ({
        name,
        role,
        ns: failed === undefined ? ns : [],
        checksum: checksumText(checked),
        ...(failed === undefined ? {} : { failed }),
      })),
    };
  } finally {
    await work.close?.();
  }
}
