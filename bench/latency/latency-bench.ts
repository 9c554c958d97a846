/**
 * `bench latency`: from a deadline, or from the instant at which an event happens, to the first
 * byte at the receiver, through the real `serve`. Open loop: the instants are fixed beforehand and
 * every latency counts from them, so nothing that is slow hides what it delays.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LapseError } from '../../engine/errors/errors.ts';
import { measureDiskSync } from '../harness/disk-sync.ts';
import { startNats } from '../harness/nats.ts';
import { type Quantiles, quantilesOf } from '../harness/quantiles.ts';
import type { Findings, Measure } from '../harness/report.ts';
import { wallOffsetMs } from '../harness/wall-clock.ts';
import { type Sent, sendBare, sendEvents } from './open-loop.ts';
import type { Arrival } from './receiver.ts';
import { ReceiverProcess } from './receiver-process.ts';
import { ACT, CANCEL_AFTER_SHARE, DID, type Schedule, scheduleOf, WITHOUT } from './schedule.ts';
import { ServeProcess } from './serve-process.ts';

export interface LatencyOptions {
  readonly log: 'embedded' | 'jetstream';
  /** Of the embedded log: whether an acknowledgement waits for the disk. */
  readonly durability: 'disk' | 'process';
  readonly rate: number;
  readonly deadlines: number;
  readonly actions: number;
  readonly seconds: number;
  readonly withinSeconds: number;
  readonly users: number;
  readonly seed: number;
}

const AIMS_MS = [5, 20, 50] as const;
const NAMES = ['p50', 'p99', 'p99.9'] as const;
/** Not counted: what comes while code is not compiled yet. */
const WARM_UP_MS = 2_000;
const BARE_MS = 5_000;
const LAST_ONES_MS = 15_000;

export async function benchLatency(options: LatencyOptions): Promise<Findings> {
  const folder = mkdtempSync(join(tmpdir(), 'lapse-bench-latency-'));
  const nats = options.log === 'jetstream' ? await startNats() : undefined;
  const receiver = await ReceiverProcess.start();
  try {
    return await measure(options, folder, nats?.url, receiver);
  } finally {
    await receiver.close();
    await nats?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(
  options: LatencyOptions,
  folder: string,
  nats: string | undefined,
  receiver: ReceiverProcess,
): Promise<Findings> {
  const withinMs = options.withinSeconds * 1000;
  const fromMs = withinMs + Math.min(WARM_UP_MS, (options.seconds * 1000) / 4);
  const durationMs = withinMs + options.seconds * 1000;
  const schedule = scheduleOf({ ...options, withinMs, durationMs });
  const bare = await measureBare(options, receiver);
  const disk = measureDiskSync(folder);
  const config = join(folder, 'bench.json');
  writeFileSync(config, JSON.stringify(definitionsFile(receiver.url, options.withinSeconds)));
  const flags = ['--config', config, '--data', join(folder, 'data')];
  const lapse = await ServeProcess.start(nats === undefined ? flags : [...flags, '--nats', nats], {
    LAPSE_ENGINE_DURABILITY: options.durability,
  });
  try {
    const sent = await sendEvents(lapse.url, schedule);
    requireInTime(sent, withinMs);
    await waitForLast(receiver, schedule, sent);
    const arrivals = await receiver.report();
    const own = {
      timer: await lapse.quantilesOf('lapse_timer_delay_seconds'),
      deadline: await lapse.quantilesOf('lapse_trigger_latency_seconds', 'campaign="inaction"'),
      action: await lapse.quantilesOf('lapse_trigger_latency_seconds', 'campaign="action"'),
    };
    const latencies = latenciesOf(schedule, sent, arrivals, { fromMs, untilMs: durationMs });
    return findings(options, { sent, bare, disk, own, ...latencies });
  } finally {
    await lapse.stop();
  }
}

/** One request a user, at once: what a receiver of instant messages would ask for. */
function definitionsFile(url: string, withinSeconds: number): Record<string, unknown> {
  const content = { fields: ['identity', 'eventProperties'] };
  const campaign = (id: string, live: unknown) => ({
    id,
    name: id,
    webhook: 'hook',
    qualify: { live },
    content,
  });
  return {
    webhooks: [{ id: 'hook', url, maxInFlight: 64, batch: { max: 1, linger: '0ms' } }],
    campaigns: [
      campaign('inaction', {
        inaction: {
          did: { event: DID },
          without: { event: WITHOUT },
          within: `${withinSeconds}s`,
        },
      }),
      campaign('action', { action: { event: ACT } }),
    ],
  };
}

async function measureBare(
  { deadlines, actions, seed, seconds }: LatencyOptions,
  receiver: ReceiverProcess,
): Promise<Quantiles> {
  const rate = deadlines + actions;
  const durationMs = Math.min(BARE_MS, seconds * 1000);
  const plain = { seed, rate, deadlines: 0, actions: 0, withinMs: 0, users: 1, durationMs };
  const { atMs } = scheduleOf(plain);
  const startMs = await sendBare(receiver.url, atMs);
  const offsetMs = wallOffsetMs();
  const latencies = (await receiver.report()).map(
    ([arrivedMs, [user]]) =>
      arrivedMs + offsetMs - startMs - atMs[Number(user!.slice('bare-'.length))]!,
  );
  // The first second opens connections and compiles.
  return quantilesOf(latencies.slice(Math.min(rate, Math.floor(latencies.length / 4))));
}

/** A load so late that its cancelling events are durable behind their deadlines measures nothing. */
function requireInTime({ answeredMsMax, refused }: Sent, withinMs: number): void {
  const allowedMs = withinMs * CANCEL_AFTER_SHARE;
  if (answeredMsMax < allowedMs && refused === 0) return;
  throw new LapseError(
    'ERR_BENCH_LOAD',
    `The load must be taken within ${allowedMs} ms of its instants, it took up to ` +
      `${Math.round(answeredMsMax)} ms and ${refused} requests were refused: ask for a lower --rate.`,
  );
}

async function waitForLast(
  receiver: ReceiverProcess,
  { deadlineOf, actionOf }: Schedule,
  { startMs }: Sent,
): Promise<void> {
  const lastMs = startMs + Math.max(...deadlineOf.values());
  while ((await receiver.count()) < deadlineOf.size + actionOf.size) {
    if (Date.now() > lastMs + LAST_ONES_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

interface Latencies {
  readonly deadline: Quantiles;
  readonly action: Quantiles;
  readonly owed: number;
}

/** @throws LapseError `ERR_BENCH_OUTPUT` unless everyone owed a message got exactly one */
function latenciesOf(
  { deadlineOf, actionOf }: Schedule,
  { startMs }: Sent,
  arrivals: readonly Arrival[],
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): Latencies {
  const offsetMs = wallOffsetMs();
  const deadline: number[] = [];
  const action: number[] = [];
  const reached = new Set<string>();
  for (const [arrivedMs, users] of arrivals) {
    for (const user of users) {
      const dueMs = deadlineOf.get(user) ?? actionOf.get(user);
      if (dueMs === undefined) throw wrong(`nothing for ${user}, who is owed nothing, got one`);
      if (reached.has(user)) throw wrong(`one message for ${user}, got another`);
      reached.add(user);
      if (dueMs < fromMs || dueMs >= untilMs) continue;
      const latencyMs = arrivedMs + offsetMs - startMs - dueMs;
      (deadlineOf.has(user) ? deadline : action).push(latencyMs);
    }
  }
  const owed = deadlineOf.size + actionOf.size;
  if (reached.size !== owed) throw wrong(`${owed} messages, got ${reached.size}`);
  return { deadline: quantilesOf(deadline), action: quantilesOf(action), owed };
}

function wrong(what: string): LapseError {
  return new LapseError('ERR_BENCH_OUTPUT', `The receiver must get ${what}.`);
}

interface Measured extends Latencies {
  readonly sent: Sent;
  readonly bare: Quantiles;
  readonly disk: Quantiles;
  readonly own: Readonly<Record<'timer' | 'deadline' | 'action', readonly number[]>>;
}

function findings(options: LatencyOptions, measured: Measured): Findings {
  const { deadline, action, bare, disk, own, sent, owed } = measured;
  const limits = valuesOf(bare);
  const rows = (what: string, quantiles: Quantiles, reported: readonly number[]): Measure[] =>
    valuesOf(quantiles).flatMap((value, i) => [
      {
        what: `${what} to first byte ${NAMES[i]}`,
        value,
        unit: 'ms',
        aim: { atMost: AIMS_MS[i]! },
        limit: { what: `bare undici ${NAMES[i]}`, value: limits[i]! },
      },
      { what: `  as Lapse reports it ${NAMES[i]}`, value: reported[i]!, unit: 'ms' },
    ]);
  return {
    measures: [
      ...rows('deadline', deadline, own.deadline),
      ...rows('event', action, own.action),
      ...limits.map((value, i) => ({ what: `limit: bare undici ${NAMES[i]}`, value, unit: 'ms' })),
      ...valuesOf(disk).map((value, i) => ({
        what: `limit: one sync of this disk ${NAMES[i]}`,
        value,
        unit: 'ms',
      })),
      ...own.timer.map((value, i) => ({
        what: `Lapse's timer delay ${NAMES[i]}`,
        value,
        unit: 'ms',
      })),
      { what: 'deadline, worst', value: deadline.max, unit: 'ms' },
      { what: 'event, worst', value: action.max, unit: 'ms' },
    ],
    notes: [
      `${options.rate} events/s in ${sent.requests} requests (${sent.refused} not answered with ` +
        `200); ${deadline.count} deadlines and ${action.count} events measured, ${owed} messages ` +
        'owed, each came exactly once, cancelled windows sent nothing.',
      'The load, `lapse serve` and the receiver are three processes on the same cores; the load ' +
        `itself was late by ${Math.round(sent.lateMsMax)} ms at worst, which counts.`,
      'With durability disk the way to the receiver holds two syncs in a row: of the event (or of the ' +
        'tick at the deadline) and of the delivery that follows from it.',
      'One request a message (batch.max 1, no linger), as a receiver of instant messages asks for.',
    ],
  };
}

function valuesOf({ p50, p99, p999 }: Quantiles): [number, number, number] {
  return [p50, p99, p999];
}
