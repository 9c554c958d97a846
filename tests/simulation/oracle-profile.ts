/** The element of `profiles` that a campaign owes for an event. */
import type { Attribute, OracleEvent } from './oracle-records.ts';
import type { CampaignPlan } from './workload.ts';

export function profileOf(
  campaign: CampaignPlan,
  event: Pick<OracleEvent, 'user' | 'isAnonymous' | 'facts'>,
  known: ReadonlyMap<string, Attribute> = new Map(),
): Record<string, unknown> {
  const attributes = Object.fromEntries(
    [...known].filter(([, { value }]) => value !== null).map(([name, { value }]) => [name, value]),
  );
  const { email, anonymousId, ...data } = attributes;
  const all: Record<string, unknown> = {
    email,
    identity: event.isAnonymous ? undefined : event.user,
    objectId: event.isAnonymous ? event.user : anonymousId,
    profileData: Object.keys(data).length > 0 ? data : undefined,
    // A date of the profile is no event's.
    eventProperties: Object.keys(event.facts).length > 0 ? event.facts : undefined,
    pushToken: undefined,
  };
  const names: Record<string, string> = {
    email: 'Email',
    identity: 'Identity',
    objectId: 'ObjectId',
    profileData: 'ProfileData',
    eventProperties: 'Event_properties',
    pushToken: 'Push_token',
  };
  return Object.fromEntries(
    campaign.fields
      .filter((field) => all[field] !== undefined)
      .map((field) => [names[field]!, all[field]]),
  );
}
