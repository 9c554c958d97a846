/**
 * `bench overload`: twice what the door can take, open loop, while one receiver is slow for all of
 * it and a million windows come due at one instant, through the real `serve`. What it looks for:
 * bounded memory, doors that push back, nothing lost, nothing doubled, the other webhook's latency,
 * and that it comes back by itself.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '../harness/nats.ts';
import type { Findings } from '../harness/report.ts';
import { wallOffsetMs } from '../harness/wall-clock.ts';
import { ReceiverProcess } from '../latency/receiver-process.ts';
import { ServeProcess } from '../latency/serve-process.ts';
import { Child } from './child.ts';
import type { FloodOptions, FromFlood, ToFlood } from './flood.ts';
import { HealthyStream } from './healthy-stream.ts';
import { type Measured, type Moments, overloadFindings } from './overload-findings.ts';
import type { FromReceivers, ToReceivers } from './receivers.ts';
import { definitionsFile, EVERY, HEALTHY_WITHIN_S } from './scene.ts';
import { isDrained, VitalsWatch } from './vitals.ts';

export interface OverloadOptions {
  readonly log: 'embedded' | 'jetstream';
  /** Of the overload itself. */
  readonly seconds: number;
  /** Before it and after it, with only the healthy stream. */
  readonly quietSeconds: number;
  readonly capacitySeconds: number;
  readonly windows: number;
  /** Events a request of the flood. */
  readonly batch: number;
  readonly producers: number;
  /** Of the healthy stream: events a second of each of its two kinds. */
  readonly rate: number;
  readonly seed: number;
}

/**
 * How many times the capacity is offered. It is measured in some seconds, and minutes take up to a
 * fifth more: this much makes it twice.
 */
const LOAD = 2.4;
/** Enough that requests which wait for a join or for the disk leave no place empty. */
const CAPACITY_PRODUCERS = 128;
/** So many windows a second are staged at least; what is left over only makes them fire later. */
const STAGED_PER_S_MIN = 40_000;
const STAGE_SPARE_S = 2;
const LOOK_EVERY_MS = 500;
const DRAINED_LOOK_MS = 200;
/** After the load ends: what has not drained by then is reported as lost. */
const DRAIN_S_MAX = 600;

interface Cast {
  readonly lapse: ServeProcess;
  readonly healthyReceiver: ReceiverProcess;
  readonly receivers: Child<ToReceivers, FromReceivers>;
  readonly flood: Child<ToFlood, FromFlood>;
  readonly healthy: HealthyStream;
  readonly watch: VitalsWatch;
}

export async function benchOverload(options: OverloadOptions): Promise<Findings> {
  const folder = mkdtempSync(join(tmpdir(), 'lapse-bench-overload-'));
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const cast = await assemble(options, folder, closers);
    return overloadFindings(options, await play(options, cast));
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function assemble(
  options: OverloadOptions,
  folder: string,
  closers: (() => Promise<unknown>)[],
): Promise<Cast> {
  const nats = options.log === 'jetstream' ? await startNats() : undefined;
  closers.push(async () => nats?.stop());
  const healthyReceiver = await ReceiverProcess.start();
  closers.push(() => healthyReceiver.close());
  const receivers = new Child<ToReceivers, FromReceivers>('./receivers.js');
  closers.push(() => receivers.end());
  const { port } = await receivers.hear('listening');
  const config = join(folder, 'bench.json');
  const file = definitionsFile({
    healthyUrl: healthyReceiver.url,
    othersUrl: `http://127.0.0.1:${port}`,
    burstWithinSeconds: burstWithinSeconds(options),
  });
  writeFileSync(config, JSON.stringify(file));
  const flags = ['--config', config, '--data', join(folder, 'data')];
  const lapse = await ServeProcess.start(
    nats === undefined ? flags : [...flags, '--nats', nats.url],
    {},
  );
  closers.push(() => lapse.stop());
  const { batch, seed, rate } = options;
  const floodOptions: FloodOptions = { url: lapse.url, batch, seed };
  const flood = new Child<ToFlood, FromFlood>('./flood.js', [JSON.stringify(floodOptions)]);
  closers.push(() => flood.end());
  await flood.hear('listening');
  const healthy = new HealthyStream({ url: lapse.url, seed: seed + 1, rate });
  const watch = new VitalsWatch(lapse.url, lapse.pid, LOOK_EVERY_MS);
  return { lapse, healthyReceiver, receivers, flood, healthy, watch };
}

/** From the staged events' time: into the middle of the overload. */
function burstWithinSeconds(options: OverloadOptions): number {
  const { windows, quietSeconds, capacitySeconds, seconds } = options;
  const stageSeconds = Math.ceil(windows / STAGED_PER_S_MIN) + STAGE_SPARE_S;
  return stageSeconds + quietSeconds + capacitySeconds + Math.ceil(seconds / 2);
}

async function play(options: OverloadOptions, cast: Cast): Promise<Measured> {
  const { flood, healthy, watch, receivers, healthyReceiver } = cast;
  const { windows, quietSeconds, capacitySeconds, seconds, producers } = options;
  const stagedFromMs = Date.now();
  const firesAtMs = stagedFromMs + burstWithinSeconds(options) * 1000;
  const timestamp = new Date(stagedFromMs).toISOString();
  watch.start();
  say(`staging ${windows} windows`);
  await flood.ask({ kind: 'stage', windows, timestamp }, 'done');
  const stagedAtMs = Date.now();
  healthy.start();
  say(`${quietSeconds} s of quiet`);
  await sleep(quietSeconds * 1000);
  const capacityAtMs = Date.now();
  say(`looking for the capacity for ${capacitySeconds} s`);
  const closed = {
    kind: 'closed',
    producers: Math.min(producers, CAPACITY_PRODUCERS),
    seconds: capacitySeconds,
  } as const;
  const capacity = await flood.ask(closed, 'done');
  const perS = (takenBatches(capacity) * options.batch * 1000) / capacity.elapsedMs;
  const rate = LOAD * perS;
  const loadAtMs = Date.now();
  say(`offering ${Math.round(rate)} events/s for ${seconds} s`);
  const load = await flood.ask({ kind: 'open', producers, seconds, rate }, 'done');
  const endAtMs = Date.now();
  say('the load has ended, the slow receiver answers at once');
  receivers.say('hurry');
  const expected = takenOf(load.acknowledged, options.batch);
  const drainedAtMs = await drained(cast, expected, windows);
  say(`${quietSeconds} s of quiet`);
  await sleep(quietSeconds * 1000);
  const afterAtMs = Date.now();
  await healthy.stop();
  await sleep(HEALTHY_WITHIN_S * 1000 + 1000);
  await watch.stop();
  const moments: Moments = {
    stagedFromMs,
    stagedAtMs,
    capacityAtMs,
    loadAtMs,
    firesAtMs,
    endAtMs,
    drainedAtMs,
    afterAtMs,
  };
  return {
    moments,
    windows,
    capacity,
    load,
    capacityPerS: perS,
    offeredPerS: rate,
    healthy: [...healthy.events.values()],
    healthyLateMs: healthy.lateMsMax,
    arrivals: await healthyReceiver.report(),
    offsetMs: wallOffsetMs(),
    received: await receivers.ask('report', 'report'),
    vitals: watch.samples,
    last: await watch.look(),
  };
}

/** Batches that were answered with 200. */
export function takenBatches({ answers }: Extract<FromFlood, { kind: 'done' }>): number {
  return new Map(answers).get('200') ?? 0;
}

/** How many batches of the flood were acknowledged, ever. */
function takenOf(acknowledged: Uint8Array, batch: number): number {
  return acknowledged.reduce((sum, one) => sum + one, 0) * batch;
}

/** Waits until nothing is on its way. @returns when, Unix ms, or undefined if it never was */
async function drained(
  { receivers, watch }: Cast,
  acknowledged: number,
  windows: number,
): Promise<number | undefined> {
  const giveUpAtMs = Date.now() + DRAIN_S_MAX * 1000;
  while (Date.now() < giveUpAtMs) {
    const { messages } = await receivers.ask('count', 'count');
    const vitals = await watch.look();
    const isDelivered =
      messages.burst >= windows &&
      messages.slow >= Math.floor(acknowledged / EVERY.slow) &&
      messages.sample >= Math.floor(acknowledged / EVERY.sample) &&
      messages.joined >= Math.floor(acknowledged / EVERY.joined);
    if (isDrained(vitals) && isDelivered) return Date.now();
    await sleep(DRAINED_LOOK_MS);
  }
  return undefined;
}

function say(what: string): void {
  process.stderr.write(`${what}\n`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
