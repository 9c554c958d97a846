import { writeJson } from '../../engine/json/write-json.ts';
import type { Content, PayloadField } from '../definitions.ts';

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
  content: Pick<Content, 'fields' | 'payload'>,
  subject: PayloadSubject,
): string {
  const { profile } = subject;
  const names = content.payload === 'v2' ? NAMES_V2 : NAMES;
  const element: Record<string, unknown> = {};
  for (const field of content.fields) {
    const value = fieldOf(field, subject, profile);
    if (value !== undefined && value !== null) element[names[field]] = value;
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

/** CleverTap's newer names. */
const NAMES_V2: Readonly<Record<PayloadField, string>> = {
  email: 'email',
  identity: 'identity',
  objectId: 'objectId',
  profileData: 'profileData',
  eventProperties: 'event_properties',
  pushToken: 'push_token',
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
      return identityOf(subject);
    case 'objectId':
      return objectIdOf(subject);
    case 'pushToken':
      return profile.pushToken;
    case 'profileData':
      return rest(profile);
    case 'eventProperties':
      return Object.keys(subject.event).length === 0 ? undefined : subject.event;
  }
}

/** The id by which the user is identified; anonymous users have none. */
export function identityOf({ isAnonymous, userId }: PayloadSubject): string | undefined {
  return isAnonymous ? undefined : userId;
}

export function objectIdOf({ isAnonymous, userId, profile }: PayloadSubject): unknown {
  return profile.objectId ?? (isAnonymous ? userId : profile.anonymousId);
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
