import { hash } from 'node:crypto';
import { base32 } from './delivery/ids.ts';

const WINDOW_CHARS = 16;
const ID_CHARS = 26;
/** As many as the characters hold. */
const HASH_BYTES = 17;

export interface QualificationIds {
  /** Names the window (or the single event) in reports. */
  readonly window: string;
  /** `webhook-id` of the delivery. */
  readonly delivery: string;
}

/**
 * Derived from campaign, user and the event that opened the window, so the same in every replay,
 * on every machine and for every number of partitions.
 */
export function qualificationIds(
  campaignId: string,
  userId: string,
  isAnonymous: boolean,
  eventIdLo: number,
  eventIdHi: number,
): QualificationIds {
  const source = `${campaignId}\n${isAnonymous ? 'a' : 'u'}\n${eventIdHi}.${eventIdLo}\n${userId}`;
  const text = base32(hash('sha256', source, 'buffer').subarray(0, HASH_BYTES));
  return { window: text.slice(0, WINDOW_CHARS), delivery: `msg_${text.slice(0, ID_CHARS)}` };
}
