/**
 * CloudEvents 1.0 as events of the Segment spec: `type` is the event's name, `subject` the user,
 * `time` the timestamp, `id` the messageId, `data` the properties. The extension `anonymousid` is
 * the anonymous user's id.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isPlainObject } from '../../events/check-properties.ts';
import { describe, rejection, Untranslatable } from '../../events/rejection.ts';

type Attributes = Readonly<Record<string, unknown>>;

const VERSION = '1.0';
/** Every CloudEvent has these, as texts that are not empty. */
const REQUIRED = ['id', 'source', 'type'] as const;
const HEADER_PREFIX = 'ce-';

/** One event of structured or batched mode, or why it is none. */
export function eventOfCloudEvent(value: unknown): object | Untranslatable {
  if (!isPlainObject(value))
    return refused(`A CloudEvent must be an object, got ${describe(value)}.`);
  if (value.data_base64 !== undefined) {
    return refused('data must be JSON, got data_base64: binary data is not supported.');
  }
  return trackOf(value, value.data);
}

/** One event of binary mode: attributes in headers, data in the body. */
export function eventOfHeaders(
  headers: IncomingHttpHeaders,
  data: unknown,
): object | Untranslatable {
  const attributes: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(HEADER_PREFIX) || typeof value !== 'string') continue;
    const attribute = name.slice(HEADER_PREFIX.length);
    try {
      // What ASCII does not have is percent-encoded in a header.
      attributes[attribute] = decodeURIComponent(value);
    } catch {
      return refused(`${name} must be percent-encoded UTF-8, got ${describe(value)}.`);
    }
  }
  return trackOf(attributes, data);
}

function trackOf(attributes: Attributes, data: unknown): object | Untranslatable {
  const { specversion, id, type, subject, time, anonymousid } = attributes;
  if (specversion !== VERSION) {
    return refused(`specversion must be "${VERSION}", got ${describe(specversion)}.`);
  }
  for (const name of REQUIRED) {
    const value = attributes[name];
    if (typeof value === 'string' && value !== '') continue;
    return refused(`${name} must be a text that is not empty, got ${describe(value)}.`);
  }
  return {
    type: 'track',
    event: type,
    messageId: id,
    userId: subject,
    anonymousId: anonymousid,
    timestamp: time,
    properties: data,
  };
}

function refused(message: string): Untranslatable {
  return new Untranslatable(rejection('ERR_CLOUDEVENT', message));
}
