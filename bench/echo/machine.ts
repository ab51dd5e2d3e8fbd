/** What figures depend on: the machine, the programs that took part, and the build. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import type { HostVersion, Machine } from '../report/model.ts';
import { bun, nodeProgram } from './catalogue.ts';
import { compilerVersion } from './compile.mjs';
import { versionOf } from './report.mjs';
import { packageRoot, packageVersion } from './where.mjs';

const GOVERNOR = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor';
const BUILD_DIGITS = 12;

export function machineOf(remarks: readonly string[]): Machine {
  const governor = existsSync(GOVERNOR) ? readFileSync(GOVERNOR, 'utf8').trim() : 'not reported';
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    os: type(),
    kernel: release(),
    remarks: [`governor ${governor}`, ...remarks],
  };
}

/** Programs and packages that servers are made of, those that are here. */
export function hostVersions(): HostVersion[] {
  const versions: readonly (readonly [name: string, version: string | undefined])[] = [
    ['node', nodeProgram && versionOf(nodeProgram, '--version')?.replace(/^v/, '')],
    ['bun', bun && versionOf(bun, '--version')],
    ['C compiler', compilerVersion()],
    ...['frame-stream', 'ws', 'zeromq', 'koffi'].map(
      (name) => [name, packageVersion(name)] as const,
    ),
  ];
  return versions.flatMap(([name, version]) => (version ? [{ name, version }] : []));
}

/** Version and build of this package; the build by the first digits of its core's SHA-256. */
export function packageBuild(): { version: string; build: string } {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const core = join(packageRoot, 'dist', 'core.wasm');
  if (!existsSync(core)) return { version, build: 'not built' };
  const digest = createHash('sha256').update(readFileSync(core)).digest('hex');
  return { version, build: `bundle, core ${digest.slice(0, BUILD_DIGITS)}` };
}
