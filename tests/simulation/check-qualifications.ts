import { fnv1a32OfText, hash64, mix32 } from '../../engine/state/hash.ts';
import { qualificationIds } from '../../operators/qualification-id.ts';
import { checkReports } from './check-reports.ts';
import { lacking } from './lacking.ts';
import { Oracle } from './oracle.ts';
import type { Luggage, Meeting, OracleRecord, OracleUser, Owed, Post } from './oracle-records.ts';
import { deliveriesIn, inputOf, type StoredDelivery } from './stored.ts';
import type { World } from './world.ts';

/**
 * Every qualification exactly once: for each partition and lane the deliveries that stand in the
 * log are those that the oracle makes of the input, with their contents and in their order.
 */
export function checkQualifications(world: World): void {
  const { workload, archive } = world;
  const webhooks = workload.versions[0]!.plan.webhooks.map(({ id }) => id);
  const ids = new Map<string, string>();
  const stored = new Map(webhooks.map((webhook) => [webhook, deliveriesIn(archive, webhook)]));
  const oracles = askOracles(world);
  for (const [partition, oracle] of oracles.entries()) {
    if (oracle.openWindows > 0) {
      world.problem(`partition ${partition}: ${oracle.openWindows} windows are left open`);
    }
    if (oracle.waiting > 0) {
      world.problem(`partition ${partition}: ${oracle.waiting} qualifications still wait`);
    }
    checkReports(world, partition, oracle.reports);
    for (const webhook of webhooks) {
      const owed = oracle.owed.filter((one) => one.webhook === webhook);
      const got = stored.get(webhook)!.filter((one) => one.partition === partition);
      compare(world, `out.${webhook} of partition ${partition}`, owed, got);
      for (const { delivery } of got) checkId(world, ids, delivery.id, textOf(delivery));
    }
  }
}

/** One oracle a partition, each going as far as what comes to it from the others lets it. */
function askOracles(world: World): Oracle[] {
  const { workload, archive, plans } = world;
  const post = new LuggagePost();
  const inputs = Array.from({ length: workload.partitionCount }, (_, partition) =>
    inputOf(archive, partition, plans).map((record) => withMessageId(world, record)),
  );
  const deliveryIdOf = (campaign: string, who: OracleUser, meeting: Meeting) =>
    nameOfDelivery(world, campaign, who, meeting);
  const placeOf = (factsId: string) => {
    const { hi, lo } = eventIdOf(world, factsId);
    return [hi, lo];
  };
  const oracles = inputs.map(
    () => new Oracle({ post, coverage: world.scheduler.coverage, deliveryIdOf, placeOf }),
  );
  const moved = inputs.flat().flatMap((record) => {
    return record.kind === 'event' && record.isMoved ? [String(record.facts.id)] : [];
  });
  const next = inputs.map(() => 0);
  for (let hasMoved = true; hasMoved; ) {
    hasMoved = false;
    for (const [partition, input] of inputs.entries()) {
      for (;;) {
        const record = input[next[partition]!];
        if (record === undefined || !post.hasFor(record)) break;
        oracles[partition]!.take(record);
        next[partition]!++;
        hasMoved = true;
      }
    }
  }
  for (const [partition, input] of inputs.entries()) {
    const left = input[next[partition]!];
    if (left === undefined) continue;
    world.problem(`in.${partition} holds what nobody sent: ${JSON.stringify(left)}`);
  }
  for (const left of post.left) world.problem(`what left as ${left} has not arrived`);
  const sentOn = oracles.flatMap((oracle) => oracle.sentOn);
  for (const id of lacking(sentOn, moved)) world.problem(`the event ${id} did not go on`);
  for (const id of lacking(moved, sentOn)) world.problem(`the event ${id} went on once too often`);
  return oracles;
}

/** What is under way between partitions, by its token and whose it will be. */
class LuggagePost implements Post {
  readonly #waiting = new Map<string, Luggage[]>();

  get left(): string[] {
    return [...this.#waiting].flatMap(([key, all]) => all.map(() => key));
  }

  hasFor(record: OracleRecord): boolean {
    if (record.kind !== 'moved' || record.endOf === undefined) return true;
    return (this.#waiting.get(keyOf(record.endOf, record.to))?.length ?? 0) > 0;
  }

  send(token: string, to: OracleUser, luggage: Luggage): void {
    const key = keyOf(token, to);
    this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), luggage]);
  }

  receive(token: string, to: OracleUser): Luggage {
    return this.#waiting.get(keyOf(token, to))!.shift()!;
  }
}

function eventIdOf(world: World, factsId: string): { lo: number; hi: number } {
  const eventId = { lo: 0, hi: 0 };
  if (factsId === '') return eventId;
  const messageId = world.producer.tries.get(factsId)?.[0]?.event.messageId ?? factsId;
  const bytes = new TextEncoder().encode(messageId);
  hash64(bytes, 0, bytes.length, 0, eventId);
  return eventId;
}

/** Names are no decisions: the system's own way to make them. */
function nameOfDelivery(world: World, campaign: string, who: OracleUser, { id }: Meeting): string {
  const [factsId, atMs] = id.split(' at ') as [string, string | undefined];
  const eventId = eventIdOf(world, factsId);
  if (atMs !== undefined) {
    const hash = fnv1a32OfText(atMs);
    eventId.lo = mix32(eventId.lo ^ hash);
    eventId.hi = mix32(eventId.hi + hash);
  }
  const { user, isAnonymous } = who;
  return qualificationIds(campaign, user, isAnonymous, eventId.lo, eventId.hi).delivery;
}

function keyOf(token: string, { user, isAnonymous }: OracleUser): string {
  return `${token} to ${user}${isAnonymous ? ', anonymous' : ''}`;
}

/** The log keeps only a hash of it; what the producer said stands with the world. */
function withMessageId(world: World, record: OracleRecord): OracleRecord {
  if (record.kind !== 'event') return record;
  const [first] = world.producer.tries.get(String(record.facts.id)) ?? [];
  return { ...record, messageId: first?.event.messageId ?? record.messageId };
}

function compare(
  world: World,
  where: string,
  owed: readonly Owed[],
  got: readonly StoredDelivery[],
): void {
  const wanted = owed.map(owedText);
  const found = got.map(({ delivery }) => textOf(delivery));
  const missing = lacking(wanted, found);
  const tooMany = lacking(found, wanted);
  for (const text of missing) world.problem(`${where} lacks ${text}`);
  for (const text of tooMany) world.problem(`${where} holds, beyond what is owed, ${text}`);
  if (missing.length + tooMany.length > 0) return;
  // What waited goes when its time comes; of equal times, users and campaigns the order is not promised.
  const inOrder = (text: string) => text.slice(0, text.indexOf(' {'));
  const at = wanted.findIndex((text, i) => inOrder(text) !== inOrder(found[i]!));
  if (at >= 0) world.problem(`${where} has ${found[at]} where ${wanted[at]} must be`);
}

function owedText({ campaign, user, atMs, dueAtMs, expiresAtMs, profile }: Owed): string {
  const due = dueAtMs === atMs ? '' : ` due ${dueAtMs}`;
  return `${atMs} ${user} ${campaign} {until ${expiresAtMs}${due}} ${canonical(profile)}`;
}

function textOf(delivery: StoredDelivery['delivery']): string {
  const { campaignId, userId, qualifiedAtMs, dueAtMs, expiresAtMs, body } = delivery;
  const due = dueAtMs === qualifiedAtMs ? '' : ` due ${dueAtMs}`;
  const profile = canonical(JSON.parse(body));
  return `${qualifiedAtMs} ${userId} ${campaignId} {until ${expiresAtMs}${due}} ${profile}`;
}

function checkId(world: World, ids: Map<string, string>, id: string, text: string): void {
  const other = ids.get(id);
  if (other !== undefined) world.problem(`${text} and ${other} have one id, ${id}`);
  ids.set(id, text);
  if (!/^msg_[a-z2-7]{26}$/.test(id)) world.problem(`${id} is no id of a delivery`);
}

/** JSON with the keys of all objects in order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, one]) => `${key}:${canonical(one)}`).join()}}`;
}
