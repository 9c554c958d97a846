import type { PartitionState } from '../../engine/partition/partition-state.ts';
import { type Key, keyOf } from '../../engine/state/key.ts';
import { HOUR_MS } from '../../engine/time/duration.ts';
import { REPORTS } from '../router/campaign-entry.ts';
import { forgetAtMs } from '../rules/rule-cells.ts';
import type { Decision } from './decision.ts';

/** Counts by name: `qualified`, `suppressed.<reason>`, `delivered`, `revenue.target`, … */
export type Counts = Record<string, number>;

/** How long an hour's counts are kept; totals are kept as long as the campaign. */
export const REPORT_HOURS_KEPT = 90 * 24;
/** The match value of a campaign's totals. */
const TOTAL = 'total';

/**
 * What has been decided of each campaign, by hour and in all, in this partition (SPEC 6). Counts are
 * kept in memory until the next checkpoint and lie in keyed state from then on, so a checkpoint
 * holds what was counted up to its position and no more.
 */
export class ReportCounts {
  readonly #state: PartitionState;
  /** By campaign, then by hour (a number of hours since 1970) or the total. */
  readonly #fresh = new Map<string, Map<string, Counts>>();

  constructor(state: PartitionState) {
    this.#state = state;
  }

  /** @param atMs when it was decided, Unix ms */
  add(campaignId: string, name: string, atMs: number, amount = 1): void {
    let hours = this.#fresh.get(campaignId);
    if (hours === undefined) {
      hours = new Map();
      this.#fresh.set(campaignId, hours);
    }
    addTo(hours, String(Math.floor(atMs / HOUR_MS)), name, amount);
    addTo(hours, TOTAL, name, amount);
  }

  /** Puts what is in memory to the rest: before a checkpoint, and before it is read. */
  flush(): void {
    const { cells, timeMs } = this.#state;
    for (const [campaignId, hours] of this.#fresh) {
      const key = keyOfReports(campaignId);
      for (const [hour, counts] of hours) {
        const merged = this.#stored(key, hour);
        for (const [name, amount] of Object.entries(counts)) add(merged, name, amount);
        const endMs = (Number(hour) + REPORT_HOURS_KEPT) * HOUR_MS;
        // One that is over already goes with the next minute.
        const dueAtMs = hour === TOTAL ? Infinity : forgetAtMs(Math.max(endMs, timeMs));
        cells.put(key, REPORTS, hour, [Object.keys(merged), Object.values(merged)], dueAtMs);
      }
    }
    this.#fresh.clear();
  }

  /** Counts of a campaign by the start of their hour (Unix ms), in order, and in all. */
  of(campaignId: string): { readonly hours: ReadonlyMap<number, Counts>; readonly total: Counts } {
    this.flush();
    const { cells } = this.#state;
    const key = keyOfReports(campaignId);
    const hours = cells
      .cellsOf(key, REPORTS)
      .map((slot) => cells.matchOf(slot))
      .filter((match) => match !== TOTAL)
      .map((match) => [Number(match) * HOUR_MS, this.#stored(key, match)] as const)
      .sort(([a], [b]) => a - b);
    return { hours: new Map(hours), total: this.#stored(key, TOTAL) };
  }

  #stored(key: Key, match: string): Counts {
    const { cells } = this.#state;
    const slot = cells.find(key, REPORTS, match);
    if (slot === -1) return {};
    const [names, amounts] = cells.valueOf(slot) as [string[], number[]];
    return Object.fromEntries(names.map((name, i) => [name, amounts[i]!]));
  }
}

/** Counts a decision in a report, under the names that reports are made of. */
export function countInReport(
  reports: ReportCounts,
  campaignId: string,
  decision: Decision,
  atMs: number,
): void {
  const { type } = decision;
  if (type === 'qualified') reports.add(campaignId, 'qualified', atMs);
  else if (type === 'converted') {
    reports.add(campaignId, `converted.${decision.group}`, atMs);
    const { revenue } = decision;
    if (revenue !== undefined) reports.add(campaignId, `revenue.${decision.group}`, atMs, revenue);
  } else reports.add(campaignId, `${type}.${decision.reason}`, atMs);
}

/** No user's key: the store's other cells are of users. */
function keyOfReports(campaignId: string): Key {
  return keyOf(`\u0000report:${campaignId}`, true);
}

function addTo(hours: Map<string, Counts>, hour: string, name: string, amount: number): void {
  let counts = hours.get(hour);
  if (counts === undefined) {
    counts = {};
    hours.set(hour, counts);
  }
  add(counts, name, amount);
}

function add(counts: Counts, name: string, amount: number): void {
  counts[name] = (counts[name] ?? 0) + amount;
}
