import type { Delivery } from '../delivery/delivery.ts';
import type { Candidate } from '../gates/candidate.ts';
import type { Scope } from '../router/scope.ts';
import { subjectText } from './subject.ts';
import { renderProfile } from './variables.ts';

const NO_PROFILE: Record<string, unknown> = {};

/** The delivery that is owed to a user whom all gates have let pass. */
export function deliver(scope: Scope, candidate: Candidate): Delivery {
  const { campaign, userId, key } = scope;
  const { deliveryId, qualifiedAtMs, dueAtMs, occurrence } = candidate;
  return {
    id: deliveryId,
    campaignId: campaign.id,
    userId,
    qualifiedAtMs,
    dueAtMs,
    expiresAtMs: dueAtMs + campaign.ttlMs,
    ...(key.isAnonymous ? { isAnonymous: true } : {}),
    // Gates give reservations back by it, goals start their clock, and reports count it.
    wantsOutcome: true,
    ...bodyOf(scope, occurrence.properties),
  };
}

/** Templates are not rendered here, where timers would wait for them, but by the sender. */
function bodyOf(
  scope: Scope,
  event: Record<string, unknown>,
): Pick<Delivery, 'body' | 'hasSubject'> {
  const { campaign, userId, key } = scope;
  const { content } = campaign;
  if (content.hasTemplates === true) {
    return { body: subjectText(scope.profile(), event), hasSubject: true };
  }
  const { isAnonymous } = key;
  const profile = profileOf(scope);
  return { body: renderProfile(content, { userId, isAnonymous, profile, event }) };
}

/** Looked up only when the content shows it. */
function profileOf(scope: Scope): Record<string, unknown> {
  for (const field of scope.campaign.content.fields) {
    if (field !== 'identity' && field !== 'eventProperties') return scope.profile();
  }
  return NO_PROFILE;
}
