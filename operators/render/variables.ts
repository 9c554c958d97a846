import { writeJson } from '../../engine/json/write-json.ts';
import type { PayloadField, VariablesContent } from '../definitions.ts';

/** What a payload is made of. */
export interface PayloadSubject {
  readonly userId: string;
  readonly isAnonymous: boolean;
  /** Attributes of the profile as they stand at sending. */
  readonly profile: Readonly<Record<string, unknown>>;
  /** Properties of the event as it was. */
  readonly event: Readonly<Record<string, unknown>>;
}

/** Attributes that fill fields of their own; the rest is ProfileData. */
const OWN_FIELDS = new Set(['email', 'userId', 'anonymousId', 'objectId', 'pushToken']);

/**
 * One element of `profiles` in body mode *variables*: the chosen fields in the seed's order and
 * with its names, each left out for a user who has none.
 * @returns JSON text
 */
export function renderProfile(
  content: Pick<VariablesContent, 'fields'>,
  subject: PayloadSubject,
): string {
  const { profile } = subject;
  const element: Record<string, unknown> = {};
  for (const field of content.fields) {
    const value = fieldOf(field, subject, profile);
    if (value !== undefined && value !== null) element[NAMES[field]] = value;
  }
  return writeJson(element);
}

const NAMES: Readonly<Record<PayloadField, string>> = {
  email: 'Email',
  identity: 'Identity',
  objectId: 'ObjectId',
  profileData: 'ProfileData',
  eventProperties: 'Event_properties',
  pushToken: 'Push_token',
};

function fieldOf(
  field: PayloadField,
  subject: PayloadSubject,
  profile: Readonly<Record<string, unknown>>,
): unknown {
  switch (field) {
    case 'email':
      return profile.email;
    case 'identity':
      return subject.isAnonymous ? undefined : subject.userId;
    case 'objectId':
      return profile.objectId ?? (subject.isAnonymous ? subject.userId : profile.anonymousId);
    case 'pushToken':
      return profile.pushToken;
    case 'profileData':
      return rest(profile);
    case 'eventProperties':
      return Object.keys(subject.event).length === 0 ? undefined : subject.event;
  }
}

function rest(profile: Readonly<Record<string, unknown>>): object | undefined {
  const data: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  let hasAny = false;
  for (const name of Object.keys(profile)) {
    if (OWN_FIELDS.has(name)) continue;
    data[name] = profile[name];
    hasAny = true;
  }
  return hasAny ? data : undefined;
}
