/**
 * What a message is made of, as it travels in the delivery of a campaign that has templates: the
 * profile as it is when the delivery is due, the event as it was.
 */
import { parseJson } from '../../engine/json/parse-json.ts';
import { writeJson } from '../../engine/json/write-json.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { PayloadSubject } from './variables.ts';

type Values = Readonly<Record<string, unknown>>;

/** @returns JSON text */
export function subjectText(profile: Values, event: Values): string {
  return writeJson({ profile, event });
}

/**
 * The subject of a delivery. One that was written before its campaign had templates carries only
 * its element of `profiles`: what that shows is all that is known.
 */
export function subjectOf(delivery: Delivery): PayloadSubject {
  const { userId, isAnonymous = false } = delivery;
  const parts = parseJson(delivery.body) as Values;
  const named = (...names: readonly string[]): unknown =>
    parts[names.find((name) => Object.hasOwn(parts, name)) ?? ''];
  if (delivery.hasSubject === true) {
    const { profile, event } = parts as { readonly profile: Values; readonly event: Values };
    return { userId, isAnonymous, profile, event };
  }
  const profile = { ...(named('ProfileData', 'profileData') as Values | undefined) };
  const own = {
    email: named('Email', 'email'),
    objectId: named('ObjectId', 'objectId'),
    pushToken: named('Push_token', 'push_token'),
  };
  for (const [name, value] of Object.entries(own)) if (value !== undefined) profile[name] = value;
  const event = (named('Event_properties', 'event_properties') as Values | undefined) ?? {};
  return { userId, isAnonymous, profile, event };
}
