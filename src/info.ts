/** `info`: what this host is, and which backends it can run. */
import { type BackendReport, chooseBackend, probeAll } from './registry.ts';

export interface HostInfo {
  /** `node`, `bun`, `deno` or `unknown`. */
  readonly host: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly backends: readonly BackendReport[];
  /** The backend that `auto` takes, and why. */
  readonly default: { readonly name: string; readonly reason: string };
}

export async function info(): Promise<HostInfo> {
  const scope = globalThis as {
    process?: { versions?: Record<string, string | undefined> };
    Deno?: { version: { deno: string } };
  };
  const versions: Record<string, string> = {};
  for (const [name, version] of Object.entries(scope.process?.versions ?? {})) {
    if (version !== undefined) versions[name] = version;
  }
  if (scope.Deno !== undefined) versions.deno = scope.Deno.version.deno;
  const host = ['deno', 'bun', 'node'].find((name) => versions[name] !== undefined) ?? 'unknown';
  const choice = await chooseBackend('auto');
  return {
    host,
    versions,
    backends: await probeAll(),
    default: { name: choice.selection.name, reason: choice.reason },
  };
}
