import type { SenderAttempt } from '../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../engine/sender/transport.ts';
import type { Batch, Entry } from './batch.ts';
import { campaignOf } from './batch.ts';
import type { Caps } from './caps.ts';
import type { Delivery } from './delivery.ts';
import type { Holdings } from './holdings.ts';
import type { AttemptFacts, SettledMember, SettledRecord } from './lane-records.ts';
import type { Outbox } from './outbox.ts';
import type { Progress } from './progress.ts';

/** The final word on deliveries. */
export interface FinalWord {
  readonly outcome: SettledRecord['outcome'];
  /** Empty when delivered. */
  readonly reason: string;
  readonly atMs: number;
  /** The attempt that decided it; absent when it was decided between attempts. */
  readonly last?: AttemptFacts | undefined;
}

export function deliveredAt(atMs: number, last: AttemptFacts): FinalWord {
  return { outcome: 'delivered', reason: '', atMs, last };
}

export function attemptFacts(attempt: SenderAttempt, result: TransportResult): AttemptFacts {
  return {
    attempt: attempt.attempt,
    startedAtMs: attempt.startedAtMs,
    answer: 'error' in result ? result.error : result.status,
    durationMs: result.durationMs,
  };
}

/** Brings deliveries to their end: gives their room and their places back, and writes it down. */
export class Settling {
  readonly #holdings: Holdings;
  readonly #progress: Progress;
  readonly #caps: Caps;
  readonly #outbox: Outbox;

  constructor(parts: {
    readonly holdings: Holdings;
    readonly progress: Progress;
    readonly caps: Caps;
    readonly outbox: Outbox;
  }) {
    this.#holdings = parts.holdings;
    this.#progress = parts.progress;
    this.#caps = parts.caps;
    this.#outbox = parts.outbox;
  }

  /** Takes a delivery in. */
  hold(delivery: Delivery): void {
    this.#holdings.add(delivery);
  }

  batch(batch: Batch, { outcome, reason, atMs, last }: FinalWord): void {
    const campaignId = campaignOf(batch);
    this.#caps.settled(campaignId, outcome, batch.places, batch.members.length);
    this.#outbox.push({
      kind: 'settled',
      webhookId: batch.webhookId,
      campaignId,
      outcome,
      reason,
      atMs,
      ...(last === undefined ? {} : { last }),
      members: batch.members.map((member) => this.#close(member)),
    });
  }

  /** Of a delivery that never made it into a batch. */
  entry(entry: Entry, { outcome, reason, atMs }: FinalWord): void {
    const { capDay } = entry;
    const { id, campaignId } = entry.delivery;
    const places = capDay === undefined ? undefined : { day: capDay };
    this.#caps.settled(campaignId, outcome, places, 1);
    const members = [this.#close(entry)];
    this.#outbox.push({
      ...{ kind: 'settled', outcome, webhookId: id, campaignId, reason, atMs, members },
    });
  }

  #close(entry: Entry): SettledMember {
    entry.isSettled = true;
    const { offset, index, delivery } = entry;
    const { id, userId, isAnonymous, wantsOutcome } = delivery;
    this.#holdings.remove(delivery);
    this.#progress.settle(offset, index);
    if (wantsOutcome !== true) return { offset, index, id, userId };
    return { offset, index, id, userId, isAnonymous: isAnonymous === true, wantsOutcome };
  }
}
