/** How long the healthy webhook's messages take, phase by phase. */
import { type Quantiles, quantilesOf } from '../harness/quantiles.ts';
import type { Measure } from '../harness/report.ts';
import type { HealthyEvent } from './healthy-stream.ts';
import type { Measured } from './overload-findings.ts';
import { HEALTHY_WITHIN_S } from './scene.ts';
import { waitingOf } from './vitals.ts';

/** What somebody who waits for an instant message still takes for instant. */
const HEALTHY_P99_MS = 250;
/** Not counted: what comes while code is not compiled yet. */
const WARM_UP_MS = 5_000;
/** The windows that come due at one instant fire first, then their messages are delivered. */
const PHASES = ['before', 'overload', 'firing', 'delivering', 'after'] as const;
type Phase = (typeof PHASES)[number];

/** Of the healthy webhook, from the instant from which each counts, by the phase it falls into. */
export function latenciesOf(measured: Measured): Measure[] {
  const { healthy, arrivals, offsetMs } = measured;
  const arrivedAtMs = new Map<string, number>();
  for (const [atMs, users] of arrivals) {
    for (const user of users) arrivedAtMs.set(user, atMs + offsetMs);
  }
  const phaseOf = phasesOf(measured);
  const samples = new Map<string, number[]>();
  const add = (what: string, fromMs: number, arrived: number) => {
    const phase = phaseOf(fromMs);
    if (phase === undefined) return;
    const key = `${what}, ${phase}`;
    const list = samples.get(key) ?? [];
    samples.set(key, list);
    list.push(arrived - fromMs);
  };
  for (const event of healthy) {
    const arrived = arrivedAtMs.get(event.user);
    if (arrived === undefined || event.takenAtMs === undefined) continue;
    if (event.isDeadline) add('deadline', Math.max(deadlineMs(event), event.takenAtMs), arrived);
    else {
      add('taken', event.takenAtMs, arrived);
      add('event', event.atMs, arrived);
    }
  }
  const measures: Measure[] = [];
  for (const what of ['deadline', 'taken', 'event']) {
    const before = quantilesOf(samples.get(`${what}, before`) ?? []);
    for (const phase of PHASES) {
      const quantiles = quantilesOf(samples.get(`${what}, ${phase}`) ?? []);
      measures.push(...rowsOf(what, phase, quantiles, before));
    }
  }
  return measures;
}

/** Which phase an instant (Unix ms) falls into; none between two of them. */
function phasesOf(measured: Measured): (atMs: number) => Phase | undefined {
  const { moments } = measured;
  const firedAtMs = firedUntilMs(measured);
  const deliveredAtMs = deliveredUntilMs(measured, firedAtMs);
  return (atMs) => {
    if (atMs < moments.stagedAtMs + WARM_UP_MS) return undefined;
    if (atMs < moments.capacityAtMs) return 'before';
    if (atMs < moments.loadAtMs) return undefined;
    if (atMs < moments.firesAtMs) return 'overload';
    if (atMs < firedAtMs) return 'firing';
    if (atMs < deliveredAtMs) return 'delivering';
    if (atMs < moments.endAtMs) return 'overload';
    const isAfter = atMs >= (moments.drainedAtMs ?? Infinity) && atMs < moments.afterAtMs;
    return isAfter ? 'after' : undefined;
  };
}

function deadlineMs({ atMs }: HealthyEvent): number {
  return atMs + HEALTHY_WITHIN_S * 1000;
}

function rowsOf(what: string, phase: string, quantiles: Quantiles, before: Quantiles): Measure[] {
  if (quantiles.count === 0) return [];
  const values = [quantiles.p50, quantiles.p99, quantiles.p999];
  const bases = [before.p50, before.p99, before.p999];
  return ['p50', 'p99', 'p99.9'].map((name, i) => ({
    what: `healthy: ${what} to first byte, ${phase} ${name}`,
    value: values[i]!,
    unit: 'ms',
    ...(name === 'p99' && what !== 'event' ? { aim: { atMost: HEALTHY_P99_MS } } : {}),
    ...(phase === 'before' || before.count === 0
      ? {}
      : { limit: { what: `before ${name}`, value: bases[i]! } }),
  }));
}

/** When the windows of the burst had all fired, as far as the samples can say. */
export function firedUntilMs({ moments, vitals, windows }: Measured): number {
  const before = vitals.filter(({ atMs }) => atMs < moments.firesAtMs).at(-1)?.windowsFired ?? 0;
  const target = before + windows;
  const fired = vitals.find(({ atMs, windowsFired }) => {
    return atMs >= moments.firesAtMs && windowsFired >= target;
  });
  return fired?.atMs ?? moments.endAtMs;
}

/** When the messages of these windows had all been delivered: a backlog is counted late, too. */
function deliveredUntilMs({ moments, vitals }: Measured, firedAtMs: number): number {
  const waiting = vitals.findLast((one) => waitingOf(one, 'burst') > 0);
  return Math.max(firedAtMs, Math.min(waiting?.atMs ?? firedAtMs, moments.endAtMs));
}
