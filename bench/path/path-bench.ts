/**
 * `bench path`: events a second from envelopes in the log to qualifications that stand durably in
 * their lane: real log, real threads, de-duplication, windows, timers, checkpoints; no sender.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectLog, type LogHome, openLogHome } from '../../app/serve/log-home.ts';
import { type RuntimeSettings, resolveRuntime } from '../../config/definitions/runtime.ts';
import { LapseError } from '../../engine/errors/errors.ts';
import { type BenchNats, startNats } from '../harness/nats.ts';
import { startProgress } from '../harness/progress.ts';
import type { Findings } from '../harness/report.ts';
import { CAMPAIGNS_MAX, shopDefinitions, WEBHOOK_ID } from '../workload/campaigns.ts';
import { type Filled, fillLog } from '../workload/fill-log.ts';
import { ShopWorkload } from '../workload/shop.ts';
import { type Outputs, readOutputs } from './outputs.ts';
import { type PathRun, runPathThreads } from './path-threads.ts';
import type { PathMode } from './protocol.ts';
import { isSampled, QualificationSet, slowQualifications } from './slow-check.ts';

export interface PathOptions {
  readonly log: 'embedded' | 'jetstream';
  readonly users: number;
  readonly events: number;
  readonly campaigns: number;
  readonly workers: number;
  readonly seed: number;
  readonly checkpointIntervalMs: number;
}

const AIM_PER_S = { embedded: 500_000, jetstream: 300_000 } as const;
/** Of receipt of the first event: long past, so that nothing is held back by the clock. */
const FROM_MS = Date.UTC(2026, 0, 5, 9);
/** Twice the longest window: most of what fires, fires during the run. */
const DURATION_MS = 3_600_000;
const UNTIL_MS = FROM_MS + DURATION_MS;
const SAMPLED_USERS = 2_000;

export async function benchPath(options: PathOptions): Promise<Findings> {
  const data = mkdtempSync(join(tmpdir(), 'lapse-bench-path-'));
  const nats = options.log === 'jetstream' ? await startNats() : undefined;
  try {
    return await measure(options, data, nats);
  } finally {
    await nats?.stop();
    await rm(data, { recursive: true, force: true });
  }
}

async function measure(
  options: PathOptions,
  data: string,
  nats: BenchNats | undefined,
): Promise<Findings> {
  const settings = resolveRuntime({ data, nats: nats?.url }, {}, {});
  const definitions = shopDefinitions(Math.min(options.campaigns, CAMPAIGNS_MAX), {
    url: 'http://127.0.0.1:9/none',
  });
  let failure: LapseError | undefined;
  const home = await openLogHome(settings, (error) => {
    failure = error;
  });
  const log = await connectLog(home.address().address);
  const workload = () => workloadOf(options);
  const filled = await fillLog(log, workload(), {
    definitions,
    fromMs: FROM_MS,
    untilMs: UNTIL_MS,
    total: options.events,
  });
  const run = (mode: PathMode) => runMode(mode, options, settings, home);
  const columns = await run('columns');
  const bodies = await run('bodies');
  const natsBefore = await nats?.cpuMs();
  const engine = await run('engine');
  const natsMs = nats === undefined ? undefined : (await nats.cpuMs()) - natsBefore!;
  const every = Math.max(1, Math.floor(options.users / SAMPLED_USERS));
  const sampled = new QualificationSet();
  const outputs = await readOutputs(log, WEBHOOK_ID, ({ campaignId, userId, qualifiedAtMs }) => {
    if (isSampled(userId, every)) sampled.add(campaignId, userId, qualifiedAtMs);
  });
  await log.close();
  await home.close();
  if (failure !== undefined) throw failure;
  const slow = slowQualifications(definitions, workload(), {
    publishedAtMs: FROM_MS,
    untilMs: UNTIL_MS,
    every,
  });
  requireSame(sampled, slow, engine, outputs);
  return findings({ options, filled, columns, bodies, engine, outputs, slow, nats, natsMs });
}

function workloadOf({ seed, users, events }: PathOptions): ShopWorkload {
  return new ShopWorkload({ seed, users, events, fromMs: FROM_MS, durationMs: DURATION_MS });
}

async function runMode(
  mode: PathMode,
  { workers, events, checkpointIntervalMs }: PathOptions,
  settings: RuntimeSettings,
  home: LogHome,
): Promise<PathRun> {
  const { partitions, reorderWindowMs } = settings.engine;
  return await runPathThreads({
    mode,
    home,
    workers,
    partitions,
    checkpointFolder: join(settings.data, 'checkpoints'),
    checkpointIntervalMs,
    reorderWindowMs,
    progress: startProgress(`${mode}: reading`, events),
  });
}

function requireSame(
  sampled: QualificationSet,
  slow: QualificationSet,
  engine: PathRun,
  outputs: Outputs,
): void {
  const { qualifications } = engine.counts.counters;
  if (sampled.hash() !== slow.hash()) {
    throw new LapseError(
      'ERR_BENCH_OUTPUT',
      `The engine must find what the slow model finds for the sampled users: ${slow.count} ` +
        `qualifications (${slow.hash()}), got ${sampled.count} (${sampled.hash()}).`,
    );
  }
  if (outputs.count !== qualifications) {
    throw new LapseError(
      'ERR_BENCH_OUTPUT',
      `The lane must hold every qualification: ${qualifications}, got ${outputs.count}.`,
    );
  }
}

interface Measured {
  readonly options: PathOptions;
  readonly filled: Filled;
  readonly columns: PathRun;
  readonly bodies: PathRun;
  readonly engine: PathRun;
  readonly outputs: Outputs;
  readonly slow: QualificationSet;
  readonly nats: BenchNats | undefined;
  readonly natsMs: number | undefined;
}

function findings(measured: Measured): Findings {
  const { options, filled, columns, bodies, engine, outputs, slow, nats, natsMs } = measured;
  const rate = (run: PathRun) => (options.events * 1000) / run.elapsedMs;
  const { counters, busyMs, checkpoints } = engine.counts;
  const limits = [
    { what: 'reading the columns', value: rate(columns) },
    { what: 'reading all bodies', value: rate(bodies) },
  ];
  const perS = { value: rate(engine), unit: 'events/s' };
  return {
    measures: [
      {
        what: 'envelopes to qualifications',
        ...perS,
        aim: { atLeast: AIM_PER_S[options.log] },
        limit: limits[0]!,
      },
      { what: 'the same', ...perS, limit: limits[1]! },
      ...limits.map(({ what, value }) => ({ what: `limit: ${what}`, value, unit: 'events/s' })),
      { what: 'qualifications', value: rateOf(outputs.count, engine), unit: '/s' },
      { what: 'elapsed', value: engine.elapsedMs / 1000, unit: 's' },
      { what: 'in turns', value: busyMs / 1000, unit: 's of all threads' },
      { what: 'final checkpoints', value: engine.drainMs / 1000, unit: 's' },
      { what: 'bytes in the log', value: filled.bytes / options.events, unit: 'an event' },
    ],
    outputHash: outputs.hash,
    notes: [
      `${outputs.count} qualifications; windows opened ${counters.windowsOpened}, cancelled ` +
        `${counters.windowsCancelled}, fired ${counters.windowsFired}; duplicates ` +
        `${counters.duplicates}; ${filled.envelopes} envelopes; ${checkpoints} partitions wrote a ` +
        'checkpoint meanwhile.',
      `${slow.count} qualifications of sampled users are what the slow model finds ` +
        `(${slow.hash()}).`,
      ...(nats === undefined
        ? []
        : [
            `NATS ${nats.version} ran on the same cores and used ${Math.round(natsMs ?? 0)} ms of ` +
              'processor time meanwhile.',
          ]),
    ],
  };
}

function rateOf(count: number, { elapsedMs }: PathRun): number {
  return (count * 1000) / elapsedMs;
}
