/**
 * What became of a delivery, on its way from the sender back to the partition of its user: a record
 * of kind `outcome`. It carries no partition time. It may stand there twice after a crash.
 */
import { LapseError } from '../errors/errors.ts';
import { EnvelopeWriter } from './envelope-writer.ts';
import { RecordFlag, RecordKind } from './records.ts';

/**
 * - `sent`: a receiver has accepted it
 * - `failed`: it was given up
 * - `suppressed`: the lane has refused it before its first attempt
 */
export type OutcomeKind = 'sent' | 'failed' | 'suppressed';

export interface DeliveryOutcome {
  readonly deliveryId: string;
  readonly campaignId: string;
  readonly userId: string;
  readonly isAnonymous: boolean;
  readonly kind: OutcomeKind;
  /** Empty when it was sent. */
  readonly reason: string;
  /** When the receiver accepted it, or when it was given up. Unix ms. */
  readonly atMs: number;
}

const KINDS: readonly unknown[] = ['sent', 'failed', 'suppressed'];

/**
 * One envelope for `in.<partition>`.
 * @param atMs now, Unix ms: the time of its users while it is processed, if partition time is behind
 */
export function encodeOutcomes(outcomes: readonly DeliveryOutcome[], atMs: number): Uint8Array {
  const writer = new EnvelopeWriter();
  for (const one of outcomes) {
    writer.addJson(RecordKind.outcome, outcomeBody(one), atMs, RecordFlag.ahead);
  }
  return writer.finish();
}

/** The body of an `outcome` record, as JSON. */
export function outcomeBody(outcome: DeliveryOutcome): readonly unknown[] {
  const { deliveryId, campaignId, userId, isAnonymous, kind, reason, atMs } = outcome;
  return [deliveryId, campaignId, userId, isAnonymous, kind, reason, atMs];
}

/** @throws LapseError `ERR_ENVELOPE_CORRUPT` when the body of an `outcome` record is none */
export function outcomeFrom(body: unknown): DeliveryOutcome {
  const fields: readonly unknown[] = Array.isArray(body) ? body : [];
  const [deliveryId, campaignId, userId, isAnonymous, kind, reason, atMs] = fields;
  const texts = [deliveryId, campaignId, userId, reason];
  const isWhole =
    texts.every((one) => typeof one === 'string') &&
    typeof isAnonymous === 'boolean' &&
    KINDS.includes(kind) &&
    Number.isFinite(atMs);
  if (isWhole) {
    return { deliveryId, campaignId, userId, isAnonymous, kind, reason, atMs } as DeliveryOutcome;
  }
  throw new LapseError(
    'ERR_ENVELOPE_CORRUPT',
    'A record of an outcome must say of which delivery, and what became of it; it does not.',
  );
}
