/** Compares what a run did, by its log and its receivers, with what it should have done. */
import { expect } from 'vitest';
import { decodeRecords } from '../../operators/delivery/done-codec.ts';
import type { SinkRequest } from '../support/webhook-sink.ts';
import type { Input } from './input.ts';
import type { Expected } from './oracle.ts';
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

/** What has been acknowledged to a feed. */
export interface Acknowledged {
  /** Events that must stand in the log, by the id in their properties. */
  readonly acknowledged: ReadonlySet<string>;
  /** Ids that must have become another's. */
  readonly joined: ReadonlySet<string>;
}

/** Events that are not in the log, and ids that are nobody else's there. */
export function lostOf({ acknowledged, joined }: Acknowledged, input: Input): string[] {
  const stored = new Set(input.events.map(({ properties }) => properties.id));
  const left = new Set(input.leaves.map(({ leave }) => leave.from.id));
  return [
    ...[...acknowledged].filter((id) => !stored.has(id)),
    ...[...joined].filter((id) => !left.has(id)),
  ];
}

/** What a run comes down to. The last two must be 0. */
export interface Account {
  /** Events whose acknowledgement came, and ids joined by them. */
  readonly acknowledged: number;
  readonly joined: number;
  /** Deliveries owed by what stands in the log. */
  readonly owed: number;
  /** Acknowledged events and joins not in the log, and deliveries owed that were never accepted. */
  readonly lost: number;
  /** Final words and accepted requests of a delivery beyond its first one under one id. */
  readonly doubled: number;
}

export function accountOf(run: {
  readonly feed: Acknowledged;
  readonly input: Input;
  readonly expected: ReadonlyMap<string, Expected>;
  readonly settled: readonly Settled[];
  readonly requests: readonly SinkRequest[];
}): Account {
  const { feed, input, expected, settled, requests } = run;
  const accepted = new Set(
    requests.filter(({ status }) => status === 200).map(({ webhookId }) => webhookId),
  );
  const words = new Map<string, number>();
  const arrived = new Set<string>();
  for (const { deliveryId, webhookId } of settled) {
    words.set(deliveryId, (words.get(deliveryId) ?? 0) + 1);
    if (accepted.has(webhookId)) arrived.add(deliveryId);
  }
  const known = new Set(settled.map(({ webhookId }) => webhookId));
  const lostDeliveries = [...expected.keys()].filter((id) => !arrived.has(id)).length;
  const settledAgain = [...words].reduce((sum, [id, n]) => sum + n - (expected.has(id) ? 1 : 0), 0);
  const sentAnew = [...accepted].filter((id) => !known.has(id)).length;
  return {
    acknowledged: feed.acknowledged.size,
    joined: feed.joined.size,
    owed: expected.size,
    lost: lostOf(feed, input).length + lostDeliveries,
    doubled: settledAgain + sentAnew,
  };
}

/** Each acknowledged event and join stands in the input. */
export function requireNothingLost(feed: Acknowledged, input: Input): void {
  expect(lostOf(feed, input)).toEqual([]);
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
