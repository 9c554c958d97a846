import { Oracle, type OracleRecord, type Owed } from './oracle.ts';
import { deliveriesIn, inputOf, type StoredDelivery } from './stored.ts';
import type { World } from './world.ts';

/**
 * Every qualification exactly once: for each partition and lane the deliveries that stand in the
 * log are those that the oracle makes of the input, with their contents and in their order.
 */
export function checkQualifications(world: World): void {
  const { workload, archive, plans } = world;
  const webhooks = workload.versions[0]!.plan.webhooks.map(({ id }) => id);
  const ids = new Map<string, string>();
  const stored = new Map(webhooks.map((webhook) => [webhook, deliveriesIn(archive, webhook)]));
  for (let partition = 0; partition < workload.partitionCount; partition++) {
    const oracle = new Oracle();
    for (const record of inputOf(archive, partition, plans)) {
      oracle.take(withMessageId(world, record));
    }
    if (oracle.openWindows > 0) {
      world.problem(`partition ${partition}: ${oracle.openWindows} windows are left open`);
    }
    for (const webhook of webhooks) {
      const owed = oracle.owed.filter((one) => one.webhook === webhook);
      const got = stored.get(webhook)!.filter((one) => one.partition === partition);
      compare(world, `out.${webhook} of partition ${partition}`, owed, got);
      for (const { delivery } of got) checkId(world, ids, delivery.id, textOf(delivery));
    }
  }
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
  // Of equal times, users and campaigns the order is not promised.
  const inOrder = (text: string) => text.slice(0, text.indexOf(' {'));
  const at = wanted.findIndex((text, i) => inOrder(text) !== inOrder(found[i]!));
  if (at >= 0) world.problem(`${where} has ${found[at]} where ${wanted[at]} must be`);
}

/** What of `wanted` is not in `found`, each as often as it is missing. */
function lacking(wanted: readonly string[], found: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const text of found) left.set(text, (left.get(text) ?? 0) + 1);
  return wanted.filter((text) => {
    const count = left.get(text) ?? 0;
    left.set(text, count - 1);
    return count <= 0;
  });
}

function owedText({ campaign, user, atMs, expiresAtMs, profile }: Owed): string {
  return `${atMs} ${user} ${campaign} {until ${expiresAtMs}} ${canonical(profile)}`;
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
