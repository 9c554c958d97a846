/** What a bench found: printed as a table, kept under bench/results/ when asked. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Commit,
  describeCommit,
  describeMachine,
  type Machine,
  packageRoot,
} from './machine.ts';

/** One figure. */
export interface Measure {
  readonly what: string;
  readonly value: number;
  /** Last in the name of the figure: events/s, ns, ms, bytes, s. */
  readonly unit: string;
  /** What it should be. */
  readonly aim?: { readonly atLeast: number } | { readonly atMost: number };
  /** Beside the limit of the same run: `value / limit`. */
  readonly limit?: { readonly what: string; readonly value: number };
}

export interface BenchReport {
  readonly bench: string;
  readonly startedAt: string;
  readonly command: string;
  readonly seed: number;
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly machine: Machine;
  readonly commit: Commit;
  readonly measures: readonly Measure[];
  /** The same for the same seed and parameters, whatever the machine; absent where time decides. */
  readonly outputHash?: string;
  /** Sentences: what was checked, what bounds the figures, what counts against them. */
  readonly notes: readonly string[];
}

export type Findings = Pick<BenchReport, 'measures' | 'outputHash' | 'notes'>;

export interface ReportHead {
  readonly bench: string;
  readonly seed: number;
  readonly parameters: BenchReport['parameters'];
  readonly args: readonly string[];
  readonly startedAt: Date;
}

export function reportOf(head: ReportHead, findings: Findings): BenchReport {
  const { bench, seed, parameters, args, startedAt } = head;
  return {
    bench,
    startedAt: startedAt.toISOString(),
    command: ['npm run bench --', bench, ...args].join(' '),
    seed,
    parameters,
    machine: describeMachine(),
    commit: describeCommit(),
    ...findings,
  };
}

/** The table as Markdown, which reads well in a terminal too. */
export function reportText(report: BenchReport): string {
  const { machine, commit } = report;
  const rows = report.measures.map(rowOf);
  const lines = [
    `## bench ${report.bench}`,
    '',
    ...tableOf(['measure', 'value', 'aim', 'of the limit'], rows),
    '',
    `- parameters: ${entriesOf(report.parameters)}, seed ${report.seed}`,
    `- machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ` +
      `${machine.platform}; Node ${machine.node}`,
    `- commit: ${commit.hash}${commit.isDirty ? ' with changes' : ''}; ${report.startedAt}`,
    `- command: \`${report.command}\``,
    ...(report.outputHash === undefined ? [] : [`- output: ${report.outputHash}`]),
    ...report.notes.map((note) => `- ${note}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Writes `<date>-<name>.json` and `.md`; returns their path without the ending. */
export function saveReport(report: BenchReport): string {
  const folder = join(packageRoot(), 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const stem = join(folder, `${report.startedAt.slice(0, 10)}-${fileNameOf(report)}`);
  writeFileSync(`${stem}.json`, `${JSON.stringify(report, undefined, 2)}\n`);
  writeFileSync(`${stem}.md`, reportText(report));
  return stem;
}

function fileNameOf({ bench, parameters }: BenchReport): string {
  return parameters.log === undefined ? bench : `${bench}-${parameters.log}`;
}

function entriesOf(parameters: BenchReport['parameters']): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? numberText(value) : value}`)
    .join(', ');
}

function rowOf({ what, value, unit, aim, limit }: Measure): string[] {
  return [
    what,
    `${numberText(value)} ${unit}`,
    aim === undefined ? '' : aimText(value, aim),
    limit === undefined ? '' : `${numberText(value / limit.value)} × ${limit.what}`,
  ];
}

function aimText(value: number, aim: NonNullable<Measure['aim']>): string {
  const [sign, wanted, isMet] =
    'atLeast' in aim
      ? ['≥', aim.atLeast, value >= aim.atLeast]
      : ['≤', aim.atMost, value <= aim.atMost];
  return `${sign} ${numberText(wanted)} ${isMet ? 'met' : 'MISSED'}`;
}

/** Three digits that count, groups of three; whole from 1,000 on. */
export function numberText(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const digits =
    Math.abs(value) >= 1000 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(digits, 6) });
}

function tableOf(head: readonly string[], rows: readonly string[][]): string[] {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 1 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 1 ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)];
}
