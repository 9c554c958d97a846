/** What the overload showed: the accounts, the memory, the flow. */
import { quantilesOf } from '../harness/quantiles.ts';
import type { Findings, Measure } from '../harness/report.ts';
import type { Arrival } from '../latency/receiver.ts';
import type { FromFlood } from './flood.ts';
import { firedUntilMs, latenciesOf } from './healthy-latencies.ts';
import type { HealthyEvent } from './healthy-stream.ts';
import { type OverloadOptions, takenBatches } from './overload-bench.ts';
import type { FromReceivers } from './receivers.ts';
import { EVERY, isOpening } from './scene.ts';
import { isCalm, type Vitals } from './vitals.ts';

type Done = Extract<FromFlood, { kind: 'done' }>;

/** Unix ms. */
export interface Moments {
  readonly stagedFromMs: number;
  readonly stagedAtMs: number;
  readonly capacityAtMs: number;
  readonly loadAtMs: number;
  readonly firesAtMs: number;
  readonly endAtMs: number;
  /** Undefined: it never was. */
  readonly drainedAtMs: number | undefined;
  readonly afterAtMs: number;
}

export interface Measured {
  readonly moments: Moments;
  /** Of the burst. */
  readonly windows: number;
  readonly capacity: Done;
  readonly load: Done;
  readonly capacityPerS: number;
  readonly offeredPerS: number;
  readonly healthy: readonly HealthyEvent[];
  readonly healthyLateMs: number;
  readonly arrivals: readonly Arrival[];
  /** From the receiver's clock to Unix ms. */
  readonly offsetMs: number;
  readonly received: Extract<FromReceivers, { kind: 'report' }>;
  readonly vitals: readonly Vitals[];
  readonly last: Vitals;
}

const MIB = 2 ** 20;
/**
 * What may stand in memory at once by the limits, beside what stood there before the load: 64 MiB
 * in the intake, 64 MiB of bodies at the door, 64 MiB of outputs, 32 MiB of each of five lanes, as
 * much again for what the collector has not yet collected.
 */
const QUEUES_MIB_MAX = 2 * (64 + 64 + 64 + 5 * 32);
/** Message ids of a day: this much an event that a campaign asks for. */
const DEDUPE_BYTES = 20;
/** An id that has joined a user stays for good: in the door, where it went, and its profile. */
const JOINED_BYTES = 512;

export function overloadFindings(options: OverloadOptions, measured: Measured): Findings {
  const { moments } = measured;
  const accounts = accountsOf(options, measured);
  const measures = [
    ...flowOf(options, measured),
    ...accounts.measures,
    ...memoryOf(options, measured),
    ...latenciesOf(measured),
    ...recoveryOf(options, measured),
  ];
  const seconds = (fromMs: number, untilMs: number) => Math.round((untilMs - fromMs) / 1000);
  return {
    measures,
    notes: [
      ...accounts.notes,
      `${options.windows} windows were staged in ${seconds(moments.stagedFromMs, moments.stagedAtMs)} s ` +
        `and came due ${seconds(moments.loadAtMs, moments.firesAtMs)} s into the overload.`,
      'The healthy stream comes by the same door and is turned away as the others are; its latency ' +
        'from the event holds these waits, the one from the taking does not.',
      'The load, the receivers, the stream and `lapse serve` (and NATS with --log jetstream) share ' +
        `the same cores; the stream itself was late by ${Math.round(measured.healthyLateMs)} ms at worst, which counts.`,
      'Memory is what the system counts as anonymous: the pages of the mapped log, which it takes ' +
        'back when it wants, stand apart.',
      'The WebSocket door is not built yet and is left out.',
    ],
  };
}

function flowOf({ batch, seconds }: OverloadOptions, measured: Measured): Measure[] {
  const { capacityPerS, offeredPerS, load } = measured;
  const answers = new Map(load.answers);
  const latency = quantilesOf(load.latenciesMs);
  const taken = takenBatches(load) * batch;
  const others = load.answers.filter(([answer]) => answer !== '200' && answer !== '429');
  return [
    { what: 'capacity of the door', value: capacityPerS, unit: 'events/s' },
    { what: 'offered', value: offeredPerS, unit: 'events/s' },
    {
      what: 'acknowledged under overload',
      value: taken / seconds,
      unit: 'events/s',
      limit: { what: 'the capacity', value: capacityPerS },
    },
    { what: 'events offered', value: load.offered * batch, unit: 'events' },
    { what: 'events acknowledged', value: taken, unit: 'events' },
    { what: 'requests answered 429', value: answers.get('429') ?? 0, unit: 'requests' },
    {
      what: 'requests answered otherwise or not',
      value: others.reduce((sum, [, count]) => sum + count, 0),
      unit: 'requests',
    },
    { what: 'answer of a taken request p50', value: latency.p50, unit: 'ms' },
    { what: 'answer of a taken request p99', value: latency.p99, unit: 'ms' },
  ];
}

/** Everything acknowledged was processed, and what it is owed came once. */
function accountsOf(options: OverloadOptions, measured: Measured) {
  const { batch, windows } = options;
  const { load, received, last, arrivals, healthy } = measured;
  const { slow, sample, burst, joined } = received.taken;
  const owed = { slow: 0, sample: 0, joined: 0, burst: windows, healthy: 0 };
  let [lost, doubled, unasked] = [0, 0, 0];
  const settle = (isOwed: boolean, count: number) => {
    if (isOwed && count === 0) lost++;
    if (count > 1) doubled += count - 1;
    // A request whose answer was lost may have been taken.
    if (!isOwed && count > 0) unasked++;
  };
  const floodEvents = load.acknowledged.length * batch;
  for (let number = 0; number < floodEvents; number++) {
    const isAcknowledged = load.acknowledged[Math.floor(number / batch)] === 1;
    if (number % EVERY.slow === 7) {
      if (isAcknowledged) owed.slow++;
      settle(isAcknowledged, slow[Math.floor(number / EVERY.slow)] ?? 0);
    } else if (number % EVERY.sample === 3) {
      if (isAcknowledged) owed.sample++;
      settle(isAcknowledged, sample[Math.floor(number / EVERY.sample)] ?? 0);
    } else if (isOpening(number)) {
      if (isAcknowledged) owed.joined++;
      settle(isAcknowledged, joined[Math.floor(number / EVERY.joined)] ?? 0);
    }
  }
  for (let number = 0; number < windows; number++) settle(true, burst[number] ?? 0);
  const reached = new Map<string, number>();
  for (const [, users] of arrivals) {
    for (const user of users) reached.set(user, (reached.get(user) ?? 0) + 1);
  }
  for (const { user } of healthy) {
    owed.healthy++;
    settle(true, reached.get(user) ?? 0);
  }
  const acknowledged =
    load.acknowledged.reduce((sum, one) => sum + one, 0) * batch + windows + healthy.length;
  const unit = 'events';
  const measures: Measure[] = [
    {
      what: 'lost: acknowledged, not processed',
      value: Math.max(0, acknowledged - last.events),
      unit,
      aim: { atMost: 0 },
    },
    { what: 'lost: owed, never received', value: lost, unit: 'messages', aim: { atMost: 0 } },
    { what: 'doubled: taken twice', value: doubled, unit: 'messages', aim: { atMost: 0 } },
    {
      what: 'a webhook-id with another body',
      value: received.changedBodies,
      unit: 'requests',
      aim: { atMost: 0 },
    },
  ];
  const notes = [
    `${acknowledged} events acknowledged, ${last.events} processed. Owed and looked for one by one: ` +
      `${owed.slow} messages of the slow webhook, ${owed.sample} of a sample, ${owed.burst} of the ` +
      `windows, ${owed.joined} of windows whose anonymous user joined a known one, ${owed.healthy} of ` +
      `the healthy one; ${unasked} came of requests without an answer; ` +
      `${received.repeatedIds} requests came again with the same id and body.`,
  ];
  return { measures, notes };
}

function memoryOf(options: OverloadOptions, measured: Measured): Measure[] {
  const { moments, vitals, last, load, capacity } = measured;
  const before = maxOf(between(vitals, moments.stagedAtMs, moments.capacityAtMs), 'anonBytes');
  const during = between(vitals, moments.capacityAtMs, moments.drainedAtMs ?? Infinity);
  const routed = (takenBatches(load) + takenBatches(capacity)) * options.batch;
  const asked = routed * (1 / EVERY.slow + 1 / EVERY.sample + 2 / EVERY.joined);
  const keptBytes = asked * DEDUPE_BYTES + (routed / EVERY.joined) * JOINED_BYTES;
  const boundMiB = before / MIB + QUEUES_MIB_MAX + keptBytes / MIB;
  const unit = 'MiB';
  const pending = ['slow', 'sample', 'burst', 'joined', 'healthy'].map((webhook) => ({
    what: `most pending in memory, ${webhook}`,
    value: Math.max(0, ...during.map((one) => one.pending.get(webhook) ?? 0)),
    unit: 'deliveries',
  }));
  const unread = Math.max(0, ...during.flatMap((one) => [...one.unread.values()]));
  return [
    { what: 'memory before, windows staged', value: before / MIB, unit },
    {
      what: 'memory at most',
      value: maxOf(during, 'anonBytes') / MIB,
      unit,
      aim: { atMost: Math.round(boundMiB) },
    },
    {
      what: 'memory at the end',
      value: last.anonBytes / MIB,
      unit,
      limit: { what: 'before', value: before / MIB },
    },
    { what: 'with the mapped log at most', value: maxOf(during, 'rssBytes') / MIB, unit },
    { what: 'most unread records', value: maxOf(during, 'lagRecords'), unit: 'records' },
    { what: 'most bytes in the intake', value: maxOf(during, 'intakeBytes') / MIB, unit },
    { what: 'most outputs waiting', value: maxOf(during, 'outputsWaiting'), unit: 'deliveries' },
    ...pending,
    { what: 'most unread in the log of a lane', value: unread, unit: 'deliveries' },
  ];
}

function recoveryOf(options: OverloadOptions, measured: Measured): Measure[] {
  const { moments, vitals } = measured;
  const caughtUp = vitals.find((one) => one.atMs >= moments.endAtMs && isCalm(one));
  const seconds = (atMs: number | undefined) =>
    atMs === undefined ? Number.POSITIVE_INFINITY : (atMs - moments.endAtMs) / 1000;
  return [
    {
      what: `${options.windows} windows fired after`,
      value: (firedUntilMs(measured) - moments.firesAtMs) / 1000,
      unit: 's',
    },
    {
      what: 'after the load: nothing unread, intake and outputs empty',
      value: seconds(caughtUp?.atMs),
      unit: 's',
    },
    {
      what: 'after the load: all lanes empty, the slow one too',
      value: seconds(moments.drainedAtMs),
      unit: 's',
    },
  ];
}

function between(vitals: readonly Vitals[], fromMs: number, untilMs: number): Vitals[] {
  return vitals.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
}

function maxOf(
  vitals: readonly Vitals[],
  what: 'anonBytes' | 'rssBytes' | 'lagRecords' | 'intakeBytes' | 'outputsWaiting',
): number {
  return vitals.reduce((most, one) => Math.max(most, one[what]), 0);
}
