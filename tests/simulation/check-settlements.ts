import { endsOf } from './campaign-ends.ts';
import type { StoredDelivery, StoredSettlement } from './stored.ts';
import { deliveriesIn, settledIn } from './stored.ts';
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
    const delivered = new Map<string, number>();
    for (const [id, { record }] of settled) {
      if (record.outcome !== 'delivered') continue;
      const { campaignId } = deliveries.get(id)!.delivery;
      delivered.set(campaignId, (delivered.get(campaignId) ?? 0) + 1);
    }
    for (const [campaign, count] of delivered) checkCaps(world, campaign, count);
    for (const [id, { delivery, envelope }] of deliveries) {
      const word = settled.get(id);
      if (word === undefined) world.problem(`${id} is owed and not settled`);
      else if (word.envelope.step < envelope.step)
        world.problem(`${id} is settled before it is owed`);
      else checkReason(world, webhook, delivery, word, deliveries);
    }
  }
}

/** Of a campaign in each version of the definitions; undefined where it has none. */
function capsOf({ workload }: World, campaign: string) {
  return workload.versions.flatMap(({ plan }) => {
    const found = plan.campaigns.find(({ id }) => id === campaign);
    return found === undefined ? [] : [found.gates.cap];
  });
}

/** Never one more than the cap, whatever crashes (SPEC 3, gate 10); a run lies within one day. */
function checkCaps(world: World, campaign: string, delivered: number): void {
  const caps = capsOf(world, campaign);
  const mosts = caps.map((cap) => Math.min(cap?.total ?? Infinity, cap?.perDay ?? Infinity));
  const most = Math.max(...mosts);
  if (delivered > most) world.problem(`${campaign} was delivered ${delivered} times of ${most}`);
  // What a changed cap counts is another matter.
  if (new Set(mosts).size === 1 && delivered === most) {
    world.scheduler.coverage.met('targeting cap used up');
  }
}

/** What is over before its next attempt could begin is given up at once. */
function longestWaitMs({ retryMs }: WebhookPlan): number {
  const longestMs = Math.max(...retryMs);
  return Math.max(longestMs + Math.max(longestMs / 4, JITTER_MS_MIN), RETRY_AFTER_MS_MAX);
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
    const isEarly =
      record.atMs < firstMs - (record.last === undefined ? 0 : longestWaitMs(webhook));
    if (isEarly) wrong(`it had until ${firstMs}, it was ${record.atMs}`);
  } else if (record.reason === 'targeting-cap') {
    const isCapped = capsOf(world, delivery.campaignId).some((cap) => cap !== undefined);
    if (!isCapped) wrong('its campaign was never capped');
  } else if (record.reason === 'campaign-ended') {
    const firstMs = Math.min(...endsOf(world, delivery.campaignId));
    const isEarly =
      record.atMs <= firstMs - (record.last === undefined ? 0 : longestWaitMs(webhook));
    if (isEarly) wrong(`its campaign ends at ${firstMs}, it was ${record.atMs}`);
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
