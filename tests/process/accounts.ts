/** Compares what a run did, by its log and its receivers, with what it should have done. */
import { expect } from 'vitest';
import { decodeRecords } from '../../operators/delivery/done-codec.ts';
import type { SinkRequest } from '../support/webhook-sink.ts';
import type { Expected, Input } from './oracle.ts';
import type { StoredTopics } from './stored-topics.ts';

export interface Settled {
  readonly deliveryId: string;
  readonly campaign: string;
  readonly user: string;
  /** `webhook-id` of the request that it went out with. */
  readonly webhookId: string;
  /** Place in that request. */
  readonly place: number;
  readonly outcome: string;
  readonly reason: string;
}

/** Every final word in the log, as often as it stands there. */
export function settledOf(stored: StoredTopics): Settled[] {
  return stored.topics
    .filter((topic) => topic.startsWith('done.'))
    .flatMap((topic) => stored.envelopesOf(topic))
    .flatMap((bytes) => decodeRecords(bytes))
    .flatMap((record) => {
      if (record.kind !== 'settled') return [];
      const { campaignId: campaign, webhookId, outcome, reason, members } = record;
      return members.map(({ id, userId }, place) => ({
        deliveryId: id,
        campaign,
        user: userId,
        webhookId,
        place,
        outcome,
        reason,
      }));
    });
}

/** Each acknowledged event stands in the input. */
export function requireNothingLost(acknowledged: ReadonlySet<string>, input: Input): void {
  const stored = new Set(input.events.map(({ properties }) => properties.id));
  expect([...acknowledged].filter((id) => !stored.has(id))).toEqual([]);
}

/** Each qualification is settled once, and nothing else is. */
export function requireSettledOnce(
  expected: ReadonlyMap<string, Expected>,
  settled: readonly Settled[],
): void {
  const line = ({ deliveryId, campaign, user }: Expected | Settled) =>
    `${campaign} ${user} ${deliveryId}`;
  expect(settled.map(line).sort()).toEqual([...expected.values()].map(line).sort());
  expect(settled.filter(({ outcome }) => outcome !== 'delivered')).toEqual([]);
}

/**
 * Each delivery arrived and was accepted, with the content that is owed; all attempts of it with
 * one and the same id and the same members; nothing arrived that is not owed.
 */
export function requireReceived(
  expected: ReadonlyMap<string, Expected>,
  settled: readonly Settled[],
  requests: readonly SinkRequest[],
): void {
  const membersOf = new Map<string, Settled[]>();
  for (const one of settled) {
    const members = membersOf.get(one.webhookId) ?? [];
    members[one.place] = one;
    membersOf.set(one.webhookId, members);
  }
  const accepted = new Set<string>();
  for (const request of requests) {
    const members = membersOf.get(request.webhookId);
    // An id that settled nothing: its members went out again under another one.
    expect(members, `request ${request.webhookId} belongs to a settled batch`).toBeDefined();
    const owed = members!.map(({ deliveryId }) => expected.get(deliveryId)?.profile);
    expect(request.profiles.map((profile) => JSON.stringify(profile))).toEqual(owed);
    if (request.status === 200) accepted.add(request.webhookId);
  }
  expect([...membersOf.keys()].filter((webhookId) => !accepted.has(webhookId))).toEqual([]);
}
