import type { Settings } from '../definitions.ts';
import type { PartitionCampaign } from '../partition-definitions.ts';
import type { CellOwner, EventListener, OperatorInput } from '../router/operator-contract.ts';
import type { Scope } from '../router/scope.ts';
import type { Candidate } from './candidate.ts';

/**
 * What a gate says: undefined lets the candidate pass, a text suppresses it for that reason, a
 * number lets it wait until then (Unix ms, `Infinity`: until the campaign goes on).
 */
export type GateAnswer = undefined | string | number;

/** What became of a delivery, as the sender says. */
export type DeliveryOutcome = 'sent' | 'failed';

/**
 * A gate between a rule and the webhook (SPEC 3). Gates stand in one list and are asked in its
 * order; one that lets a candidate wait is not asked again when it is due.
 */
export interface Gate extends Partial<EventListener>, Partial<CellOwner> {
  /** Stands in `deferred` outputs. */
  readonly name: string;
  /** Stands in the picture of the graph. */
  readonly title: string;
  /** `due`: asked once delay and quiet hours have let the candidate go. */
  readonly askedAt: 'qualification' | 'due';
  /** Whose keyed state it keeps: of the campaign, or over all campaigns. @default none */
  readonly part?: 'repeat' | 'every-campaign';
  /** False for a campaign that does not use it: it is left out of the campaign's chain. */
  isUsed(campaign: PartitionCampaign, settings: Settings): boolean;
  /** Whether it is asked for users of a control group too, whose conversions are measured. */
  readonly asksControlGroup: boolean;
  ask(scope: Scope, candidate: Candidate): GateAnswer;
  /** Takes a reservation back that `ask` made: a later gate has refused, or nothing was sent. */
  release?(scope: Scope, deliveryId: string): void;
  /** The delivery was accepted at `atMs`. */
  onSent?(scope: Scope, deliveryId: string, atMs: number): void;
  /** Events it wants to see while a candidate waits. */
  inputs?(campaign: PartitionCampaign): readonly OperatorInput[];
}

/** A gate with its place in the order of all, which an edit of a campaign does not change. */
export interface PlacedGate extends Gate {
  readonly place: number;
}
