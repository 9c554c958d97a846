import type { CampaignEntry } from './campaign-entry.ts';
import type { EventListener, OperatorInput } from './operator-contract.ts';
import type { Predicate } from './predicate.ts';
import type { RuleNode } from './rule-nodes.ts';

/** An edge from an event name to an operator. */
export interface Edge {
  readonly listener: EventListener;
  readonly input: OperatorInput;
  /** Absent: every event of that name. */
  readonly predicate: Predicate | undefined;
  /** The version of a rule it leads to; absent for what a whole campaign listens to. */
  readonly node: RuleNode | undefined;
  readonly campaign: CampaignEntry | undefined;
  /** Order among the edges of one name: campaign, version, role. */
  readonly order: readonly [campaignId: string, version: number, role: number];
  /** Events that have come this way. */
  records: number;
  /** It was taken out, and leaves its list when that is next asked for. */
  isGone: boolean;
}

/** What an event of one name may do, in order of campaign, version and role. */
export type Route = readonly Edge[];

export function compareEdges({ order: a }: Edge, { order: b }: Edge): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] - b[1] || a[2] - b[2];
}
