/** What of a campaign must fit into the time for which it runs. */
import { formatDuration, formatInstant } from '../../engine/time/duration.ts';
import type { Campaign } from '../../operators/definitions.ts';
import { spansOfGates } from '../../operators/gates/schemas.ts';
import { spanOfRule } from '../../operators/rules/schemas.ts';

export interface RunTimeComplaint {
  /** Below the campaign, like `qualify.live.inaction.within`. */
  readonly path: string;
  /** Continues the path: `must be …, got …`. */
  readonly rest: string;
}

/**
 * A window or a delay longer than the campaign runs would never send anything, and neither would
 * a campaign that is over when it starts.
 * @param startAtMs when it starts, Unix ms: its own start, or the moment of its publication
 */
export function runTimeComplaints(campaign: Campaign, startAtMs: number): RunTimeComplaint[] {
  const { endAtMs } = campaign.schedule;
  if (endAtMs === undefined) return [];
  if (endAtMs <= startAtMs) {
    const rest = `must be after the start (${formatInstant(startAtMs)}), got ${formatInstant(endAtMs)}`;
    return [{ path: 'schedule.end', rest }];
  }
  const runsMs = endAtMs - startAtMs;
  const { rule } = campaign;
  const span = spanOfRule(rule);
  const spans = [
    ...(span === undefined ? [] : [{ ...span, key: `qualify.live.${rule.kind}.${span.key}` }]),
    ...spansOfGates(campaign),
  ];
  return spans.flatMap(({ key, ms }) => {
    if (ms <= runsMs) return [];
    const runs = `at most as long as the campaign runs (${formatDuration(runsMs)})`;
    return [{ path: key, rest: `must be ${runs}, got ${formatDuration(ms)}` }];
  });
}

/**
 * What stands against publishing the campaign at an instant; a campaign whose `schedule.start` is
 * `now` can be judged only then.
 */
export function publicationComplaints(campaign: Campaign, atMs: number): RunTimeComplaint[] {
  return runTimeComplaints(campaign, Math.max(atMs, campaign.schedule.startAtMs ?? atMs));
}
