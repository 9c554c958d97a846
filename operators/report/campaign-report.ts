import { type GroupCounts, type Lift, liftOf, wilsonInterval } from './lift.ts';
import type { Counts } from './report-counts.ts';

/** What one partition has counted of a campaign; hours by their start in Unix ms. */
export interface ReportPart {
  readonly hours: readonly (readonly [startAtMs: number, counts: Counts])[];
  readonly total: Counts;
}

export interface GroupReport extends GroupCounts {
  /** Conversions of the users reached, 0 to 1. */
  readonly rate: number;
  readonly rateInterval: { readonly low: number; readonly high: number };
  readonly revenue: number;
}

/** The way of a campaign's users: from the rule through each gate to the receiver and the goal. */
export interface Funnel {
  readonly qualified: number;
  /** By reason, in order of the alphabet. */
  readonly suppressed: Readonly<Record<string, number>>;
  readonly deferred: Readonly<Record<string, number>>;
  readonly queued: number;
  readonly delivered: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly converted: { readonly target: number; readonly control: number };
  readonly revenue: { readonly target: number; readonly control: number };
}

export interface CampaignReport {
  readonly campaign: string;
  readonly total: Funnel;
  readonly goal: {
    readonly target: GroupReport;
    readonly control: GroupReport;
    readonly lift?: Lift;
  };
  /** Steps in which something happened, by their start. */
  readonly steps: readonly (Funnel & { readonly from: string })[];
}

export interface ReportQuery {
  /** Unix ms. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly stepMs: number;
}

/** One report of what all partitions have counted. Without a range its total is of all time. */
export function campaignReport(
  campaign: string,
  parts: readonly ReportPart[],
  query?: ReportQuery,
): CampaignReport {
  const byStep = new Map<number, Counts>();
  const inRange: Counts = {};
  for (const [atMs, counts] of parts.flatMap(({ hours }) => hours)) {
    if (query === undefined || atMs < query.fromMs || atMs >= query.untilMs) continue;
    const step = Math.floor(atMs / query.stepMs) * query.stepMs;
    byStep.set(step, sum(byStep.get(step) ?? {}, counts));
    sum(inRange, counts);
  }
  const total: Counts = {};
  for (const part of parts) sum(total, part.total);
  const counts = query === undefined ? total : inRange;
  const [target, control] = [groupOf(total, 'target'), groupOf(total, 'control')];
  const lift = liftOf(target, control);
  return {
    campaign,
    total: funnelOf(counts),
    goal: { target, control, ...(lift === undefined ? {} : { lift }) },
    steps: [...byStep]
      .sort(([a], [b]) => a - b)
      .map(([atMs, one]) => ({ from: new Date(atMs).toISOString(), ...funnelOf(one) })),
  };
}

function sum(into: Counts, counts: Counts): Counts {
  for (const [name, amount] of Object.entries(counts)) into[name] = (into[name] ?? 0) + amount;
  return into;
}

function funnelOf(counts: Counts): Funnel {
  const of = (name: string) => counts[name] ?? 0;
  return {
    qualified: of('qualified'),
    suppressed: below(counts, 'suppressed.'),
    deferred: below(counts, 'deferred.'),
    queued: of('queued'),
    delivered: of('delivered'),
    failed: below(counts, 'failed.'),
    converted: { target: of('converted.target'), control: of('converted.control') },
    revenue: { target: of('revenue.target'), control: of('revenue.control') },
  };
}

function below(counts: Counts, prefix: string): Record<string, number> {
  const names = Object.keys(counts).filter((name) => name.startsWith(prefix));
  return Object.fromEntries(names.sort().map((name) => [name.slice(prefix.length), counts[name]!]));
}

function groupOf(counts: Counts, group: 'target' | 'control'): GroupReport {
  const users = counts[`reached.${group}`] ?? 0;
  const conversions = counts[`converted.${group}`] ?? 0;
  return {
    users,
    conversions,
    rate: users === 0 ? 0 : conversions / users,
    rateInterval: wilsonInterval({ users, conversions }),
    revenue: counts[`revenue.${group}`] ?? 0,
  };
}
