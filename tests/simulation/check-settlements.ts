import type { StoredDelivery, StoredSettlement } from './stored.ts';
import { deliveriesIn, settledIn } from './stored.ts';
import { START_MS } from './wire.ts';
import type { WebhookPlan } from './workload.ts';
import type { World } from './world.ts';

/** Jitter only adds: a quarter of a wait, but at least so much. */
const JITTER_MS_MIN = 1_000;
const RETRY_AFTER_MS_MAX = 6_000;

/** Every delivery has one final word, and a reason for it. */
export function checkSettlements(world: World): void {
  for (const webhook of world.workload.versions[0]!.plan.webhooks) {
    const deliveries = new Map<string, StoredDelivery>();
    for (const one of deliveriesIn(world.archive, webhook.id)) deliveries.set(one.delivery.id, one);
    const settled = new Map<string, StoredSettlement>();
    for (const one of settledIn(world.archive, webhook.id)) {
      const before = settled.get(one.id);
      if (!deliveries.has(one.id)) world.problem(`${one.id} is settled and was never owed`);
      else if (before === undefined) settled.set(one.id, one);
      // An append that was not answered is repeated: the same word twice is one.
      else if (wordOf(before) !== wordOf(one)) {
        world.problem(`${one.id} is settled as ${wordOf(before)} and as ${wordOf(one)}`);
      }
    }
    for (const [id, { delivery, envelope }] of deliveries) {
      const word = settled.get(id);
      if (word === undefined) world.problem(`${id} is owed and not settled`);
      else if (word.envelope.step < envelope.step)
        world.problem(`${id} is settled before it is owed`);
      else checkReason(world, webhook, delivery, word, deliveries);
    }
  }
}

function wordOf({ record }: StoredSettlement): string {
  const { webhookId, outcome, reason, atMs } = record;
  return `${outcome} ${reason} at ${atMs} with ${webhookId}`;
}

function checkReason(
  world: World,
  webhook: WebhookPlan,
  delivery: StoredDelivery['delivery'],
  { record, id }: StoredSettlement,
  deliveries: ReadonlyMap<string, StoredDelivery>,
): void {
  const wrong = (why: string) =>
    world.problem(`${id} is settled as ${record.outcome} ${record.reason}: ${why}`);
  const answers = world.receivers.received
    .filter(({ lane, webhookId }) => lane === webhook.id && webhookId === record.webhookId)
    .map(({ answer }) => (answer !== undefined && 'status' in answer ? answer.status : undefined));
  if (record.outcome === 'delivered') {
    if (!answers.includes(200)) wrong('no receiver has said so');
  } else if (record.reason === 'expired') {
    const members = record.members.map((member) => deliveries.get(member.id)!.delivery);
    const firstMs = Math.min(...members.map(({ expiresAtMs }) => expiresAtMs));
    const longestMs = Math.max(...webhook.retryMs);
    const waitMs = Math.max(longestMs + Math.max(longestMs / 4, JITTER_MS_MIN), RETRY_AFTER_MS_MAX);
    const isEarly = record.atMs < firstMs - (record.last === undefined ? 0 : waitMs);
    if (isEarly) wrong(`it had until ${firstMs}, it was ${record.atMs}`);
  } else if (record.reason === 'campaign-ended') {
    const ends = world.workload.versions.flatMap(({ plan }) => {
      const campaign = plan.campaigns.find(({ id }) => id === delivery.campaignId);
      const endMs = campaign?.gates.schedule?.endMs;
      return endMs === undefined ? [] : [START_MS + endMs];
    });
    if (!ends.some((endMs) => record.atMs > endMs)) wrong('its campaign had not ended');
  } else if (record.reason === 'cancelled') {
    const isStopped = world.workload.actions.some(
      ({ campaign, action }) =>
        campaign === delivery.campaignId && (action === 'stop' || action === 'archive'),
    );
    const isTakenAway = world.workload.versions.some(
      ({ plan }) =>
        !plan.campaigns.some(
          ({ id, webhook: target, state }) =>
            id === delivery.campaignId && target === webhook.id && state === 'running',
        ),
    );
    if (!isTakenAway && !isStopped) wrong('its campaign was never taken away or stopped');
  } else {
    const status = Number(/^http-(4\d\d)$/.exec(record.reason)?.[1]);
    if (!answers.includes(status)) wrong('no receiver has said so');
  }
}
