/** Whether a value from a file, or from a benchmark at fault, is a result that can be drawn. */
import {
  type BenchmarkResult,
  type Figure,
  FORMAT_VERSION,
  type Group,
  type Measure,
  type Row,
} from './model.ts';

type Fields = Readonly<Record<string, unknown>>;

const ROLES = ['own', 'peer', 'ceiling'] as const;
const BETTER = ['more', 'less'] as const;
const VERDICTS = ['held', 'missed', 'ahead', 'behind', 'hidden by spread'] as const;

function fail(path: string, wanted: string): never {
  throw new TypeError(`benchmark result: ${path} is not ${wanted}`);
}

function fields(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(path, 'an object');
  return value as Fields;
}

function list(value: unknown, path: string): readonly unknown[] {
  return Array.isArray(value) ? value : fail(path, 'an array');
}

function text(value: unknown, path: string): string {
  return typeof value === 'string' ? value : fail(path, 'a text');
}

function number(value: unknown, path: string): number {
  return typeof value === 'number' && Number.isFinite(value)
    ? value
    : fail(path, 'a finite number');
}

function oneOf(value: unknown, choices: readonly string[], path: string): void {
  if (!choices.includes(value as string)) fail(path, `one of ${choices.join(', ')}`);
}

function optional(
  value: unknown,
  check: (value: unknown, path: string) => unknown,
  path: string,
): void {
  if (value !== undefined) check(value, path);
}

function texts(value: unknown, names: readonly string[], path: string): Fields {
  const object = fields(value, path);
  for (const name of names) text(object[name], `${path}.${name}`);
  return object;
}

function checkFigure(value: unknown, path: string): void {
  const figure = fields(value, path);
  const of = (name: string) => number(figure[name], `${path}.${name}`);
  if (!(of('least') <= of('median') && of('median') <= of('greatest')))
    fail(path, 'in order: least, median, greatest');
  if (of('samples') < 1) fail(`${path}.samples`, 'at least 1');
}

function checkMeasure(value: unknown, path: string): string {
  const measure = texts(value, ['id', 'label', 'unit'], path);
  oneOf(measure.better, BETTER, `${path}.better`);
  return measure.id as string;
}

function checkRow(
  value: unknown,
  measures: ReadonlySet<string>,
  hosts: ReadonlySet<string>,
  path: string,
) {
  const row = texts(value, ['id', 'name'], path);
  oneOf(row.role, ROLES, `${path}.role`);
  optional(row.host, text, `${path}.host`);
  if (row.host !== undefined && !hosts.has(row.host as string))
    fail(`${path}.host`, 'the name of one of the hosts');
  for (const [name, label] of Object.entries(fields(row.labels, `${path}.labels`))) {
    if (typeof label !== 'string') number(label, `${path}.labels.${name}`);
  }
  for (const [id, figure] of Object.entries(fields(row.figures, `${path}.figures`))) {
    if (!measures.has(id)) fail(`${path}.figures.${id}`, "one of the group's measures");
    checkFigure(figure, `${path}.figures.${id}`);
  }
  optional(row.checksum, text, `${path}.checksum`);
  optional(row.failed, text, `${path}.failed`);
}

function checkGroup(value: unknown, hosts: ReadonlySet<string>, path: string): void {
  const group = texts(value, ['id', 'title', 'section'], path);
  optional(group.about, text, `${path}.about`);
  const measures = list(group.measures, `${path}.measures`);
  if (measures.length === 0) fail(`${path}.measures`, 'at least one measure');
  const ids = measures.map((measure, index) => checkMeasure(measure, `${path}.measures.${index}`));
  list(group.rows, `${path}.rows`).forEach((row, index) => {
    checkRow(row, new Set(ids), hosts, `${path}.rows.${index}`);
  });
}

function checkCurve(value: unknown, path: string): void {
  const curve = texts(value, ['id', 'title', 'section'], path);
  optional(curve.about, text, `${path}.about`);
  optional(curve.better, (better, at) => oneOf(better, BETTER, at), `${path}.better`);
  const [x, y] = ['x', 'y'].map((name) => texts(curve[name], ['label', 'unit'], `${path}.${name}`));
  list(curve.series, `${path}.series`).forEach((item, index) => {
    const at = `${path}.series.${index}`;
    const series = texts(item, ['name'], at);
    oneOf(series.role, ROLES, `${at}.role`);
    optional(series.host, text, `${at}.host`);
    let before = Number.NEGATIVE_INFINITY;
    list(series.points, `${at}.points`).forEach((entry, point) => {
      const where = `${at}.points.${point}`;
      const values = list(entry, where).map((part) => number(part, where));
      const [at_x, median, low, high] = values;
      if (values.length !== 4 || !(low! <= median! && median! <= high!))
        fail(where, '[x, median, low, high] with low ≤ median ≤ high');
      if (at_x! <= before) fail(where, 'behind the point before it');
      before = at_x!;
      if (x!.log === true && at_x! <= 0) fail(where, 'above 0 on its logarithmic x axis');
      if (y!.log === true && low! <= 0) fail(where, 'above 0 on its logarithmic y axis');
    });
  });
}

function checkUnique(ids: readonly string[], path: string): void {
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) fail(path, `without repetition: ${twice}`);
}

/** The figure that a ratio or limit is about has to be there. */
function checkReference(groups: readonly Group[], row: unknown, measure: unknown, path: string) {
  const id = text(row, path);
  const group = groups.find(({ rows }) => rows.some((candidate) => candidate.id === id));
  if (group === undefined) fail(path, 'the id of a row');
  if (!group.measures.some((candidate) => candidate.id === measure))
    fail(`${path}'s measure`, 'a measure of its group');
}

/** @throws TypeError that names the first thing that is wrong */
export function checkResult(value: unknown): BenchmarkResult {
  const result = texts(value, ['startedAt'], 'the whole');
  if (result.format !== 'overlapped-benchmark') fail('format', 'overlapped-benchmark');
  if (result.version !== FORMAT_VERSION) fail('version', String(FORMAT_VERSION));
  oneOf(result.kind, ['micro', 'echo', 'growth'], 'kind');
  texts(result.package, ['version', 'build'], 'package');
  if (Number.isNaN(Date.parse(result.startedAt as string))) fail('startedAt', 'a date');
  number(result.durationSeconds, 'durationSeconds');
  list(result.command, 'command').forEach((word, index) => {
    text(word, `command.${index}`);
  });
  const machine = texts(result.machine, ['cpu', 'os', 'kernel'], 'machine');
  number(machine.cores, 'machine.cores');
  number(machine.memoryBytes, 'machine.memoryBytes');
  const remark = (item: unknown, index: number) => text(item, `machine.remarks.${index}`);
  list(machine.remarks ?? [], 'machine.remarks').forEach(remark);
  const hosts = list(result.hosts, 'hosts').map(
    (host, index) => texts(host, ['name', 'version'], `hosts.${index}`).name as string,
  );
  list(result.groups, 'groups').forEach((group, index) => {
    checkGroup(group, new Set(hosts), `groups.${index}`);
  });
  list(result.curves, 'curves').forEach((curve, index) => {
    checkCurve(curve, `curves.${index}`);
  });
  // From here on the groups and the curves are what they claim to be.
  const { groups, curves } = result as unknown as BenchmarkResult;
  checkUnique(
    [...groups, ...curves].map(({ id }) => id),
    'groups and curves',
  );
  checkUnique(
    groups.flatMap(({ rows }) => rows.map(({ id }) => id)),
    'rows',
  );
  list(result.ratios, 'ratios').forEach((item, index) => {
    const path = `ratios.${index}`;
    const ratio = fields(item, path);
    checkReference(groups, ratio.of, ratio.measure, `${path}.of`);
    checkReference(groups, ratio.to, ratio.measure, `${path}.to`);
    checkFigure(ratio.value, `${path}.value`);
    if ((ratio.value as Figure).least <= 0) fail(`${path}.value`, 'above 0');
    optional(ratio.promised, number, `${path}.promised`);
    oneOf(ratio.verdict, VERDICTS, `${path}.verdict`);
  });
  list(result.limits, 'limits').forEach((item, index) => {
    const path = `limits.${index}`;
    const limit = fields(item, path);
    checkReference(groups, limit.row, limit.measure, `${path}.row`);
    number(limit.promised, `${path}.promised`);
    oneOf(limit.verdict, VERDICTS, `${path}.verdict`);
  });
  list(result.notes, 'notes').forEach((item, index) => {
    const note = texts(item, ['subject', 'text'], `notes.${index}`);
    oneOf(note.kind, ['left out', 'failed', 'loses', 'remark'], `notes.${index}.kind`);
  });
  return result as unknown as BenchmarkResult;
}

export interface Found {
  readonly group: Group;
  readonly row: Row;
  readonly measure: Measure;
}

/** A row and a measure by their ids; `checkResult` has seen that they are there. */
export function find(result: BenchmarkResult, rowId: string, measureId: string): Found {
  for (const group of result.groups) {
    const row = group.rows.find(({ id }) => id === rowId);
    const measure = group.measures.find(({ id }) => id === measureId);
    if (row !== undefined && measure !== undefined) return { group, row, measure };
  }
  throw new TypeError(`benchmark result: no row ${rowId} with the measure ${measureId}`);
}
