/**
 * `npm run seeds -- 10000` runs as many seeds, on all cores; `-- --seed N` replays one with its
 * trace. Exit code 1 when one fails.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { CoverageTable } from './coverage-table.ts';
import { runSeed, type SeedResult } from './run-seed.ts';
import { SeedRunner } from './seed-runner.ts';

const USAGE = `Usage: npm run seeds -- [count] [--from N] [--workers N] [--stop-at-first]
       npm run seeds -- --seed N [--quiet]
`;
const COUNT = 1_000;
const FAILURES_SHOWN_MAX = 20;
const BAR_CHARS = 30;

interface Tally {
  done: number;
  events: number;
  qualifications: number;
  requests: number;
  steps: number;
  processes: number;
  readonly homes: Map<string, number>;
  readonly failures: SeedResult[];
  readonly coverage: CoverageTable;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      quiet: { type: 'boolean', default: false },
      from: { type: 'string', default: '1' },
      workers: { type: 'string', default: String(availableParallelism()) },
      'stop-at-first': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (values.seed !== undefined) return replay(whole(values.seed), !values.quiet);
  const count = positionals[0] === undefined ? COUNT : whole(positionals[0]);
  return runMany({
    from: whole(values.from),
    count,
    workers: Math.min(whole(values.workers), count),
    stopsAtFirst: values['stop-at-first'],
  });
}

async function replay(seed: number, isTraced: boolean): Promise<number> {
  const { problems, trace, traceHash, figures, home } = await runSeed(seed, isTraced);
  for (const line of trace) process.stdout.write(`${line}\n`);
  for (const problem of problems) process.stdout.write(`FAILED ${problem}\n`);
  const told = Object.entries(figures).map(([name, value]) => `${value} ${name}`);
  process.stdout.write(`seed ${seed} (${home}, trace ${traceHash}): ${told.join(', ')}\n`);
  return problems.length === 0 ? 0 : 1;
}

async function runMany(options: {
  readonly from: number;
  readonly count: number;
  readonly workers: number;
  readonly stopsAtFirst: boolean;
}): Promise<number> {
  const { from, count, workers, stopsAtFirst } = options;
  const startedAtMs = Date.now();
  const tally: Tally = {
    done: 0,
    events: 0,
    qualifications: 0,
    requests: 0,
    steps: 0,
    processes: 0,
    homes: new Map(),
    failures: [],
    coverage: new CoverageTable(),
  };
  let next = from;
  const isOver = () => next >= from + count || (stopsAtFirst && tally.failures.length > 0);
  await Promise.all(
    Array.from({ length: workers }, () =>
      work(
        () => (isOver() ? undefined : next++),
        (result) => {
          addTo(tally, result);
          showProgress(tally, count, startedAtMs);
        },
      ),
    ),
  );
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  for (const line of tally.coverage.lines()) process.stdout.write(`${line}\n`);
  process.stdout.write('\n');
  summarize(tally, startedAtMs, workers);
  const uncovered = tally.coverage.problems();
  for (const problem of uncovered) process.stdout.write(`NOT MET ${problem}\n`);
  return tally.failures.length + uncovered.length === 0 ? 0 : 1;
}

/** One worker process, which is given a seed at a time. */
async function work(
  take: () => number | undefined,
  onResult: (result: SeedResult) => void,
): Promise<void> {
  const runner = new SeedRunner();
  for (let seed = take(); seed !== undefined; seed = take()) onResult(await runner.run(seed));
  runner.close();
}

function addTo(tally: Tally, result: SeedResult): void {
  tally.done++;
  tally.events += result.figures.events;
  tally.qualifications += result.figures.qualifications;
  tally.requests += result.figures.requests;
  tally.steps += result.figures.steps;
  tally.processes += result.figures.processes;
  tally.homes.set(result.home, (tally.homes.get(result.home) ?? 0) + 1);
  if (result.problems.length === 0) {
    tally.coverage.add(result.met);
    return;
  }
  tally.failures.push(result);
  if (tally.failures.length > FAILURES_SHOWN_MAX) return;
  process.stdout.write(`${process.stderr.isTTY ? '\r\u001b[K' : ''}seed ${result.seed} FAILED\n`);
  for (const problem of result.problems) process.stdout.write(`  ${problem}\n`);
  process.stdout.write(`  replay: npm run seeds -- --seed ${result.seed}\n`);
}

let shownAtMs = 0;

function showProgress({ done, failures }: Tally, count: number, startedAtMs: number): void {
  const nowMs = Date.now();
  if (!process.stderr.isTTY || (nowMs - shownAtMs < 100 && done < count)) return;
  shownAtMs = nowMs;
  const filled = Math.round((BAR_CHARS * done) / count);
  const leftS = ((nowMs - startedAtMs) / done) * (count - done) * 1e-3;
  process.stderr.write(
    `\r\u001b[K${'█'.repeat(filled)}${'░'.repeat(BAR_CHARS - filled)} ${done}/${count}` +
      ` seeds, ${failures.length} failed, ${Math.ceil(leftS)} s left`,
  );
}

function summarize(tally: Tally, startedAtMs: number, workers: number): void {
  const seconds = (Date.now() - startedAtMs) / 1_000;
  const homes = [...tally.homes].map(([name, count]) => `${count} ${name}`).join(', ');
  process.stdout.write(
    `${tally.done} seeds (${homes}) in ${seconds.toFixed(1)} s on ${workers} workers: ` +
      `${tally.events} events, ${tally.qualifications} envelopes of deliveries, ` +
      `${tally.requests} requests, ${tally.processes} processes, ${tally.steps} steps; ` +
      `${tally.failures.length} failed\n`,
  );
}

function whole(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  process.stderr.write(USAGE);
  process.exit(2);
}

process.exitCode = await main();
