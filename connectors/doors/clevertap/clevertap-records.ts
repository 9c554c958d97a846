/**
 * Records of CleverTap's upload as events of the Segment spec, so that a stream means the same by
 * this door as by any other. `identity` is the userId, `objectId` the anonymousId; `Email` of a
 * profile is `email`, which fills the payload's own field; everything else keeps its name.
 */
import { isPlainObject } from '../../events/check-properties.ts';
import { describe, type Rejection, rejection, Untranslatable } from '../../events/rejection.ts';

type CleverTapRecord = Readonly<Record<string, unknown>>;
type Fields = Record<string, unknown>;

/** Events that CleverTap's own SDKs raise; nobody may upload them. */
const RESTRICTED_EVENTS = new Set(
  [
    'Notification Sent',
    'Notification Viewed',
    'Notification Clicked',
    'Notification Delivered',
    'Notification Replied',
    'UTM Visited',
    'App Launched',
    'App Uninstalled',
    'App Version Changed',
    'Stayed',
    'Reply Sent',
    'Experiment Rendered',
    'Reachable By',
    'Identity Reset',
    'Identity Set',
    'Identity Error',
  ].map((name) => name.toLowerCase()),
);
/** Changes of a list or a number in place, which a profile here does not know. */
const OPERATIONS = new Set(['$add', '$remove', '$set', '$delete', '$incr', '$decr']);
const DATE = /^\$D_(-?\d{1,13})$/;
const EMAIL = /^[^\s@]+@[^\s@]+$/;
const PHONE = /^\+\d{5,15}$/;
const GENDER = /^(?:m|f|o|u|male|female|other|others|unknown)$/i;
/** Beyond it, a number is one of milliseconds. */
const EPOCH_SECONDS_MAX = 99_999_999_999;
const DEPTH_MAX = 64;

/** One record as an event, or why it is none. */
export function eventOfRecord(record: unknown): object | Untranslatable {
  if (!isPlainObject(record)) {
    return refused('ERR_EVENT_SHAPE', `A record must be an object, got ${describe(record)}.`);
  }
  const timestamp = instantOfTs(record.ts);
  if (timestamp instanceof Untranslatable) return timestamp;
  const event: Fields = {
    userId: record.identity ?? record.FBID ?? record.GPID,
    anonymousId: record.objectId,
    messageId: record.messageId,
    timestamp,
  };
  switch (record.type) {
    case 'event':
      return trackOf(record, event);
    case 'profile':
      return identifyOf(record, event);
    case 'token':
      return tokenOf(record, event);
    default:
      return refused(
        'ERR_EVENT_TYPE',
        `type must be event, profile or token, got ${describe(record.type)}.`,
      );
  }
}

function trackOf({ evtName, evtData }: CleverTapRecord, event: Fields) {
  if (typeof evtName === 'string' && RESTRICTED_EVENTS.has(evtName.trim().toLowerCase())) {
    return refused(
      'ERR_EVENT_RESTRICTED',
      `evtName must not be one of CleverTap's own events, got ${describe(evtName)}.`,
    );
  }
  return { ...event, type: 'track', event: evtName, properties: withInstants(evtData, 0) };
}

function identifyOf({ profileData }: CleverTapRecord, event: Fields) {
  if (!isPlainObject(profileData)) return { ...event, type: 'identify', traits: profileData };
  const refusal = refusalOfProfile(profileData);
  if (refusal !== undefined) return new Untranslatable(refusal);
  const { Email, ...rest } = profileData;
  const traits = Email === undefined ? rest : { email: Email, ...rest };
  return { ...event, type: 'identify', traits: withInstants(traits, 0) };
}

function tokenOf({ tokenData }: CleverTapRecord, event: Fields) {
  const token = isPlainObject(tokenData) ? tokenData.id : undefined;
  if (typeof token !== 'string' || token === '') {
    return refused('ERR_EVENT_SHAPE', `tokenData.id must be a text, got ${describe(token)}.`);
  }
  return { ...event, type: 'identify', traits: { pushToken: token } };
}

function refusalOfProfile(profile: Readonly<Record<string, unknown>>): Rejection | undefined {
  const { Email, Phone, Gender } = profile;
  if (!isAbsent(Email) && !(typeof Email === 'string' && EMAIL.test(Email))) {
    return rejection('ERR_PROFILE_EMAIL', `Email must be an address, got ${describe(Email)}.`);
  }
  if (!isAbsent(Phone) && !PHONE.test(String(Phone))) {
    return rejection(
      'ERR_PROFILE_PHONE',
      `Phone must be + with country code and digits, got ${describe(Phone)}.`,
    );
  }
  if (!isAbsent(Gender) && !(typeof Gender === 'string' && GENDER.test(Gender))) {
    return rejection('ERR_PROFILE_GENDER', `Gender must be M, F, O or U, got ${describe(Gender)}.`);
  }
  for (const [name, value] of Object.entries(profile)) {
    const operation = isPlainObject(value)
      ? Object.keys(value).find((key) => OPERATIONS.has(key))
      : undefined;
    if (operation === undefined) continue;
    return rejection(
      'ERR_PROFILE_OPERATION',
      `${describe(name)} must be a value, got the operation ${operation}, which is not supported.`,
    );
  }
  return undefined;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** Epoch seconds; absent: the time of receipt. */
function instantOfTs(ts: unknown): Date | undefined | Untranslatable {
  if (ts === undefined || ts === null) return undefined;
  const seconds = typeof ts === 'string' && /^\d{1,11}$/.test(ts) ? Number(ts) : ts;
  const isEpoch = Number.isSafeInteger(seconds) && Number(seconds) >= 0;
  if (!isEpoch || Number(seconds) > EPOCH_SECONDS_MAX) {
    return refused('ERR_EVENT_TIME', `ts must be epoch seconds, got ${describe(ts)}.`);
  }
  return new Date(Number(seconds) * 1_000);
}

/** `$D_1476847305` is an instant, here written as others are. What nests too deep is refused later. */
function withInstants(value: unknown, depth: number): unknown {
  if (typeof value === 'string') {
    const seconds = DATE.exec(value)?.[1];
    const instant = seconds === undefined ? undefined : new Date(Number(seconds) * 1_000);
    return instant === undefined || Number.isNaN(instant.getTime()) ? value : instant.toISOString();
  }
  if (depth > DEPTH_MAX) return value;
  if (Array.isArray(value)) return value.map((one) => withInstants(one, depth + 1));
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value).map(
    ([name, one]) => [name, withInstants(one, depth + 1)] as const,
  );
  // Unlike assignment, this makes a property of `__proto__` too.
  return Object.fromEntries(entries);
}

function refused(code: Rejection['code'], message: string): Untranslatable {
  return new Untranslatable(rejection(code, message));
}
