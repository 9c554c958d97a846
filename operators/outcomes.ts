import type { DeliveryOutcome } from '../engine/envelope/outcomes.ts';
import { keyOf } from '../engine/state/key.ts';
import { operatorOfGate } from './gates/gate-operators.ts';
import { GATES } from './gates/gates.ts';
import { startGoalClock } from './goals/goal.ts';
import type { CampaignEntry } from './router/campaign-entry.ts';
import type { Scope } from './router/scope.ts';

/**
 * Tells gates and goals what became of a delivery. A second word on the same delivery changes
 * nothing: what is sent stays sent, what was given back is gone.
 */
export function takeOutcome(scope: Scope, outcome: DeliveryOutcome): void {
  const { deliveryId, kind, atMs } = outcome;
  scope.key = keyOf(outcome.userId, outcome.isAnonymous);
  const entry: CampaignEntry = scope.book.entryFor(outcome.campaignId);
  // Of a campaign that is gone meanwhile: what counts over all campaigns still counts.
  const isGone = scope.book.entryOf(outcome.campaignId) === undefined;
  scope.entry = entry;
  const name = kind === 'sent' ? 'delivered' : `${kind}.${outcome.reason}`;
  scope.reports.add(outcome.campaignId, name, atMs);
  for (const gate of GATES) {
    if (isGone && gate.part !== 'every-campaign') continue;
    scope.operator = operatorOfGate(gate, entry);
    if (kind === 'sent') gate.onSent?.(scope, deliveryId, atMs);
    else gate.release?.(scope, deliveryId);
  }
  if (kind !== 'sent' || isGone || entry.campaign.goal === undefined) return;
  startGoalClock(scope, 'target', atMs);
}
