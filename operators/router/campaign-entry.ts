import type { CompiledAudience } from '../audience/audience.ts';
import type { PlacedGate } from '../gates/gate.ts';
import type { PartitionCampaign } from '../partition-definitions.ts';

/** Where a campaign is in its life (SPEC 6). A campaign whose start lies ahead is `running`. */
export const LIVES = ['draft', 'running', 'paused', 'stopped', 'completed', 'archived'] as const;
export type Life = (typeof LIVES)[number];

/** A campaign as a partition runs it. */
export interface CampaignEntry {
  readonly id: string;
  /** A number that is the campaign's own in this partition, for good. */
  readonly index: number;
  campaign: PartitionCampaign;
  life: Life;
  /** The gates that it uses, in their order. */
  gates: readonly PlacedGate[];
  audience: CompiledAudience | undefined;
  /** Candidates that wait for a time or for the campaign to go on. */
  waiting: number;
  /** How many candidates each gate was asked about, and how many passed all, since the start. */
  asked: number[];
  passed: number;
}

/*
 * Numbers of operators in keyed state: versions of rules, then the parts of campaigns. One number
 * is nobody's campaign: what counts over all campaigns of a user, and one is nobody's: what reports count.
 */
export const EVERY_CAMPAIGN = 65_535;
/** Counts of reports: their cells are no user's. */
export const REPORTS = 65_536;
const PARTS_START = 65_537;
const PARTS = ['waiting', 'repeat', 'goal'] as const;
export type CampaignPart = (typeof PARTS)[number];

export function partOperator(index: number, part: CampaignPart): number {
  return PARTS_START + index * PARTS.length + PARTS.indexOf(part);
}

/** Which part of which campaign an operator number means; undefined for others. */
export function partOf(operator: number): { index: number; part: CampaignPart } | undefined {
  if (operator < PARTS_START) return undefined;
  const at = operator - PARTS_START;
  return { index: Math.floor(at / PARTS.length), part: PARTS[at % PARTS.length]! };
}
