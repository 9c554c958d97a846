/**
 * `bench door`: from one JSON event a NATS message, and from batches over HTTP, to durable records
 * that the partitions have processed: the real engine with its doors, log and threads.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectNats } from '../../connectors/nats/connection.ts';
import { LapseError } from '../../engine/errors/errors.ts';
import { type BenchNats, startNats } from '../harness/nats.ts';
import { startProgress } from '../harness/progress.ts';
import { quantilesOf } from '../harness/quantiles.ts';
import type { Findings, Measure } from '../harness/report.ts';
import { ShopWorkload } from '../workload/shop.ts';
import type { FromHttpLoad, HttpLoadOptions } from './http-load.ts';
import { publishEvents, receiveAll } from './nats-messages.ts';
import { type Serving, type ServingOptions, startServing } from './serving.ts';

export interface DoorOptions {
  readonly log: 'embedded' | 'jetstream';
  readonly users: number;
  readonly events: number;
  readonly campaigns: number;
  readonly workers: number;
  readonly connections: number;
  readonly batch: number;
  readonly seed: number;
}

const AIM_PER_S = 100_000;

export async function benchDoor(options: DoorOptions): Promise<Findings> {
  const data = mkdtempSync(join(tmpdir(), 'lapse-bench-door-'));
  const nats = options.log === 'jetstream' ? await startNats() : undefined;
  const serving = { ...options, data, nats: nats?.url };
  try {
    const overNats = nats === undefined ? undefined : await measureNats(options, serving, nats);
    const overHttp = await measureHttp(options, serving);
    return {
      measures: [...(overNats?.measures ?? []), ...overHttp.measures],
      notes: [...(overNats?.notes ?? []), ...overHttp.notes, ABOUT],
    };
  } finally {
    await nats?.stop();
    await rm(data, { recursive: true, force: true });
  }
}

const ABOUT =
  'Counts of the threads reach the main thread every 250 ms, so an end may be seen that much late. ' +
  'The sender runs but its webhook is shut.';

async function measureNats(
  options: DoorOptions,
  servingOptions: ServingOptions,
  nats: BenchNats,
): Promise<Findings> {
  const { events } = options;
  // The campaigns are published before the events happen, then Lapse is away while they come in.
  await (await startServing(servingOptions)).stop();
  const connection = await connectNats({ urls: [nats.url], name: 'bench' });
  await publishEvents(connection, workloadOf(options), events);
  const bareMs = await receiveAll(connection, events, false);
  const parsingMs = await receiveAll(connection, events, true);
  await connection.close();
  const cpuBefore = await nats.cpuMs();
  const serving = await startServing(servingOptions);
  const startedMs = performance.now();
  const progress = startProgress('NATS door', events);
  await serving.processed(events, (done) => progress.at(done));
  const elapsedMs = performance.now() - startedMs;
  const cpuMs = (await nats.cpuMs()) - cpuBefore;
  progress.end();
  requireAll(serving, events);
  const { qualifications } = serving.lapse.overview();
  const { envelopesAppended } = serving.lapse.intake;
  await serving.stop();
  const rate = (ms: number) => (events * 1000) / ms;
  const limits = [
    { what: 'receiving them', value: rate(bareMs) },
    { what: 'receiving and parsing them', value: rate(parsingMs) },
  ];
  const value = rate(elapsedMs);
  const unit = 'events/s';
  const measures: Measure[] = [
    {
      what: 'NATS, a message an event',
      value,
      unit,
      aim: { atLeast: AIM_PER_S },
      limit: limits[0]!,
    },
    { what: 'the same', value, unit, limit: limits[1]! },
    ...limits.map((limit) => ({ what: `limit: ${limit.what}`, value: limit.value, unit })),
  ];
  const note =
    `NATS ${nats.version} ran on the same cores: ${Math.round(cpuMs)} ms of processor time in ` +
    `${Math.round(elapsedMs)} ms. ${qualifications} qualifications of actions; ` +
    `${Math.round(events / envelopesAppended)} records an envelope.`;
  return { measures, notes: [note] };
}

function workloadOf({ seed, users, events }: DoorOptions): ShopWorkload {
  return new ShopWorkload({ seed, users, events, fromMs: Date.now(), durationMs: 1 });
}

async function measureHttp(
  options: DoorOptions,
  servingOptions: ServingOptions,
): Promise<Findings> {
  const { events, connections, batch, users } = options;
  // Ids of their own, or they would be duplicates of what came by NATS.
  const seed = options.seed + 1;
  const serving = await startServing(servingOptions);
  const load: HttpLoadOptions = { url: serving.lapse.url, connections, batch, users, events, seed };
  const child = fork(new URL('./http-load.js', import.meta.url), [JSON.stringify(load)]);
  await once(child, 'message');
  const before = serving.lapse.overview().events;
  const progress = startProgress('HTTP door', events);
  const startedMs = performance.now();
  const answered = once(child, 'message');
  child.send('start');
  await serving.processed(before + events, (done) => progress.at(done - before));
  const elapsedMs = performance.now() - startedMs;
  progress.end();
  const [done] = (await answered) as [Extract<FromHttpLoad, { kind: 'done' }>];
  requireAll(serving, before + events);
  await serving.stop();
  if (done.refused > 0) throw missing(`every request answered 200, ${done.refused} were not`);
  const latency = quantilesOf(done.latenciesMs);
  return {
    measures: [
      {
        what: `HTTP, batches of ${batch}`,
        value: (events * 1000) / elapsedMs,
        unit: 'events/s',
      },
      { what: 'HTTP answer p50', value: latency.p50, unit: 'ms' },
      { what: 'HTTP answer p99', value: latency.p99, unit: 'ms' },
    ],
    notes: [
      `HTTP over ${connections} connections from one more process on the same cores, each sending ` +
        'as soon as it is answered; an answer means that the events are durable.',
    ],
  };
}

function requireAll({ lapse }: Serving, events: number): void {
  const processed = lapse.overview().events;
  if (processed !== events) throw missing(`${events} events processed, ${processed} were`);
}

function missing(what: string): LapseError {
  return new LapseError('ERR_BENCH_OUTPUT', `The door must have ${what}.`);
}
