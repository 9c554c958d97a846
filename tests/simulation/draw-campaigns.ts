/** Draws webhooks, campaigns, and what is changed in them meanwhile. */
import type { Prng } from '../support/prng.ts';
import { drawGates, drawSettings } from './draw-gates.ts';
import { drawOtherRule } from './draw-rules.ts';
import type {
  CampaignPlan,
  Change,
  DefinitionsPlan,
  EventConfig,
  InactionConfig,
  RuleConfig,
  WebhookPlan,
  Where,
} from './workload.ts';

/** Spellings of one name count as one (E74). */
export const NAMES: readonly (readonly string[])[] = [
  ['Added To Cart', 'added to cart', 'AddedToCart'],
  ['Order Completed'],
  ['Viewed', 'VIEWED'],
  ['Searched'],
];
/** As often as they are drawn. */
const KINDS_DRAWN = [
  'action',
  'action',
  'action',
  'inaction',
  'inaction',
  'inaction',
  'inaction',
  'inaction',
  'sequence',
  'sequence',
  'count',
  'count',
  'quiet',
  'quiet',
  'date',
  'date',
] as const;
/** What the busy one does. */
export const BUSY_NAME = 'Viewed';

export function drawWebhook(prng: Prng, id: string): WebhookPlan {
  const timeoutMs = prng.pick([200, 1_000, 3_000]);
  return {
    id,
    ...(prng.chance(0.5)
      ? {
          rate: {
            limit: 1 + prng.below(5),
            perMs: prng.pick([1_000, 1_000, 3_000]),
            burst: 1 + prng.below(4),
          },
        }
      : {}),
    maxInFlight: prng.pick([1, 2, 4, 32]),
    batchMax: prng.pick([1, 2, 3, 5, 100]),
    lingerMs: prng.pick([0, 10, 50, 300]),
    timeoutMs,
    retryMs: prng.pick([[500], [500, 2_000, 5_000], [1_000, 4_000]]),
  };
}

export function drawCampaign(
  prng: Prng,
  id: string,
  webhooks: readonly WebhookPlan[],
): CampaignPlan {
  return {
    id,
    webhook: prng.pick(webhooks).id,
    state: prng.chance(0.08) ? 'draft' : 'running',
    ttlMs: prng.pick([3_000, 20_000, 60_000, 300_000]),
    fields: prng.pick([
      ['identity', 'eventProperties'],
      ['email', 'identity', 'objectId', 'profileData', 'eventProperties', 'pushToken'],
      ['profileData', 'eventProperties'],
    ]),
    rule: drawRule(prng),
    gates: drawGates(prng),
  };
}

function drawRule(prng: Prng): RuleConfig {
  const kind = prng.pick(KINDS_DRAWN);
  if (kind === 'action') return { action: drawMatch(prng) };
  return kind === 'inaction' ? { inaction: drawInaction(prng) } : drawOtherRule(prng, kind);
}

export function busyCampaign(prng: Prng, webhooks: readonly WebhookPlan[]): CampaignPlan {
  const { match: _, ...inaction } = drawInaction(prng);
  return {
    ...drawCampaign(prng, 'c0', webhooks),
    state: 'running',
    gates: {},
    rule: {
      inaction: {
        ...inaction,
        did: { event: BUSY_NAME },
        without: [{ event: 'Order Completed', where: { price: { gte: 95 } } }],
        withinMs: 20_000,
        maxExtendMs: 200_000,
        onRepeat: prng.pick(['parallel', 'restart']),
      },
    },
  };
}

function drawInaction(prng: Prng): InactionConfig {
  const withinMs = prng.pick([1_000, 2_000, 5_000, 5_000, 20_000, 60_000]);
  const without = Array.from({ length: prng.chance(0.7) ? 1 : 2 }, () => drawMatch(prng));
  return {
    did: drawMatch(prng),
    without,
    withinMs,
    onRepeat: prng.pick(['restart', 'restart', 'keepFirst', 'parallel']),
    graceMs: prng.pick([0, 0, 0, 1_500, 4_000]),
    maxExtendMs: withinMs * prng.pick([1, 2, 10, 10]),
    ...(prng.chance(0.4)
      ? { match: { did: 'cart', without: prng.pick(['cart', 'cart', 'order.cart']) } }
      : {}),
  };
}

export function drawMatch(prng: Prng): EventConfig {
  const event = prng.pick(prng.pick(NAMES));
  return prng.chance(0.35) ? { event, where: drawWhere(prng) } : { event };
}

export function drawWhere(prng: Prng): Where {
  const price = prng.below(100);
  return prng.pick<Where>([
    { price: { gte: price } },
    { price: { lt: price } },
    { price: { between: [20, 70] } },
    { plan: 'pro' },
    { plan: { in: ['pro', 'team'] } },
    { plan: { ne: 'free' } },
    { coupon: { exists: prng.chance(0.5) } },
    { any: [{ plan: 'team' }, { price: { gte: price } }] },
    { not: { plan: 'free' }, price: { lte: 90 } },
  ]);
}

/** A campaign is changed, taken away, added, published or moved. */
export function changePlan(
  prng: Prng,
  before: DefinitionsPlan,
): { plan: DefinitionsPlan; change: Change } {
  const { webhooks, campaigns } = before;
  const changed = [...campaigns];
  const at = prng.below(changed.length);
  const one = changed[at]!;
  let change = prng.pick<Change>([
    'rule changed',
    'rule changed',
    'removed',
    'added',
    'state changed',
    'content changed',
    'webhook changed',
    'gates changed',
    'settings changed',
  ]);
  if (change === 'settings changed') {
    return { plan: { ...before, settings: drawSettings(prng) }, change };
  }
  if (change === 'removed' && changed.length === 1) change = 'added';
  if (change === 'rule changed')
    changed[at] = { ...one, rule: drawCampaign(prng, one.id, webhooks).rule };
  else if (change === 'gates changed') changed[at] = { ...one, gates: drawGates(prng) };
  else if (change === 'state changed') {
    changed[at] = { ...one, state: one.state === 'draft' ? 'running' : 'draft' };
  } else if (change === 'content changed') {
    changed[at] = { ...one, ttlMs: prng.pick([3_000, 60_000]), fields: ['eventProperties'] };
  } else if (change === 'webhook changed')
    changed[at] = { ...one, webhook: prng.pick(webhooks).id };
  else if (change === 'removed') changed.splice(at, 1);
  else {
    // Perhaps one that was there before.
    const gone = Array.from({ length: 12 }, (_, i) => `c${i}`).filter(
      (id) => !campaigns.some((campaign) => campaign.id === id),
    );
    changed.push(drawCampaign(prng, prng.pick(gone), webhooks));
  }
  return { plan: { ...before, campaigns: changed }, change };
}
