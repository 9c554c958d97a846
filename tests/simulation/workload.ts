import type { Prng } from '../support/prng.ts';

/** A filter as a definition has it; only what the oracle knows. */
export interface Where {
  readonly [key: string]: unknown;
}

export interface EventConfig {
  readonly event: string;
  readonly where?: Where;
}

export interface InactionConfig {
  readonly did: EventConfig;
  readonly without: readonly EventConfig[];
  readonly withinMs: number;
  readonly match?: { readonly did: string; readonly without: string };
  readonly onRepeat: 'restart' | 'keepFirst' | 'parallel';
  readonly graceMs: number;
  readonly maxExtendMs: number;
}

export interface CampaignPlan {
  readonly id: string;
  readonly webhook: string;
  readonly state: 'draft' | 'running';
  readonly ttlMs: number;
  readonly fields: readonly string[];
  readonly rule: { readonly action: EventConfig } | { readonly inaction: InactionConfig };
}

export interface WebhookPlan {
  readonly id: string;
  readonly rate?: { readonly limit: number; readonly perMs: number; readonly burst: number };
  readonly maxInFlight: number;
  readonly batchMax: number;
  readonly lingerMs: number;
  readonly timeoutMs: number;
  readonly retryMs: readonly number[];
}

/** What the definitions say, one version of them. */
export interface DefinitionsPlan {
  readonly webhooks: readonly WebhookPlan[];
  readonly campaigns: readonly CampaignPlan[];
}

/** An event as its producer made it, once and for all. */
export interface PlannedEvent {
  /** When it first wants to be sent, ms after the start. */
  readonly atMs: number;
  readonly type: 'track' | 'identify' | 'alias' | 'nonsense';
  readonly user: string;
  readonly isAnonymous: boolean;
  /** Another id of the same user, which it joins with `user`. */
  readonly joins?: string;
  readonly name: string;
  readonly messageId: string;
  readonly facts: Readonly<Record<string, unknown>>;
  /** How long before it is first sent it happened, ms; negative: ahead. Undefined: not said. */
  readonly ageMs?: number;
  /** Its producer's clock is so far ahead, ms; such a producer says when it sent. */
  readonly skewMs?: number;
}

export interface Workload {
  readonly partitionCount: number;
  /** Versions of the definitions, each from its instant on, ms after the start. */
  readonly versions: readonly { readonly atMs: number; readonly plan: DefinitionsPlan }[];
  /** Requests in the order of their first sending; each is sent until it is acknowledged. */
  readonly requests: readonly (readonly PlannedEvent[])[];
  /** Producers' clocks show whole multiples of it: so that deadlines are met to the ms. */
  readonly roundMs: number;
  /** When the last one is first sent, ms after the start. */
  readonly endMs: number;
}

/** Spellings of one name count as one (E74). */
const NAMES: readonly (readonly string[])[] = [
  ['Added To Cart', 'added to cart', 'AddedToCart'],
  ['Order Completed'],
  ['Viewed', 'VIEWED'],
  ['Searched'],
];
const CARTS = ['x', 'y', 7];
const PLANS = ['free', 'pro', 'team'];
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Draws campaigns, events and changes; the faults are drawn elsewhere. */
export function drawWorkload(prng: Prng): Workload {
  const webhooks = Array.from({ length: 1 + prng.below(2) }, (_, i) => drawWebhook(prng, `w${i}`));
  const campaigns = Array.from({ length: 1 + prng.below(5) }, (_, i) =>
    drawCampaign(prng, `c${i}`, webhooks),
  );
  const requests = drawRequests(prng);
  const endMs = requests.at(-1)![0]!.atMs;
  const first: DefinitionsPlan = { webhooks, campaigns };
  const versions = [{ atMs: 0, plan: first }];
  const changes = prng.chance(0.5) ? 0 : 1 + prng.below(3);
  for (let i = 0; i < changes; i++) {
    const before = versions.at(-1)!.plan;
    versions.push({ atMs: prng.below(endMs + 1), plan: changePlan(prng, before) });
  }
  versions.sort((a, b) => a.atMs - b.atMs);
  const roundMs = prng.pick([1, 1, 1_000]);
  return { partitionCount: 1 + prng.below(4), versions, requests, roundMs, endMs };
}

function drawWebhook(prng: Prng, id: string): WebhookPlan {
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

function drawCampaign(prng: Prng, id: string, webhooks: readonly WebhookPlan[]): CampaignPlan {
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
    rule: prng.chance(0.25) ? { action: drawMatch(prng) } : { inaction: drawInaction(prng) },
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

function drawMatch(prng: Prng): EventConfig {
  const event = prng.pick(prng.pick(NAMES));
  return prng.chance(0.35) ? { event, where: drawWhere(prng) } : { event };
}

function drawWhere(prng: Prng): Where {
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
function changePlan(prng: Prng, { webhooks, campaigns }: DefinitionsPlan): DefinitionsPlan {
  const changed = [...campaigns];
  const at = prng.below(changed.length);
  const one = changed[at]!;
  const kind = prng.pick(['rule', 'rule', 'remove', 'add', 'state', 'content', 'webhook']);
  if (kind === 'rule') changed[at] = { ...one, rule: drawCampaign(prng, one.id, webhooks).rule };
  else if (kind === 'state') {
    changed[at] = { ...one, state: one.state === 'draft' ? 'running' : 'draft' };
  } else if (kind === 'content') {
    changed[at] = { ...one, ttlMs: prng.pick([3_000, 60_000]), fields: ['eventProperties'] };
  } else if (kind === 'webhook') changed[at] = { ...one, webhook: prng.pick(webhooks).id };
  else if (kind === 'remove' && changed.length > 1) changed.splice(at, 1);
  else {
    // Perhaps one that was there before.
    const gone = Array.from({ length: 12 }, (_, i) => `c${i}`).filter(
      (id) => !campaigns.some((campaign) => campaign.id === id),
    );
    changed.push(drawCampaign(prng, prng.pick(gone), webhooks));
  }
  return { webhooks, campaigns: changed };
}

function drawRequests(prng: Prng): PlannedEvent[][] {
  const users = 1 + prng.below(6);
  const count = 15 + prng.below(60);
  const paceMs = prng.pick([5, 60, 300, 1_500]);
  // In some runs nobody joins anybody, in others many do.
  const joining = prng.pick([0, 0, 0.03, 0.1]);
  const requests: PlannedEvent[][] = [];
  const sent: PlannedEvent[] = [];
  let atMs = 200;
  for (let i = 0; i < count; i++) {
    atMs += prng.chance(0.3) ? 0 : prng.below(2 * paceMs);
    const size = prng.chance(0.7) ? 1 : 2 + prng.below(5);
    const request: PlannedEvent[] = [];
    for (let k = 0; k < size; k++) {
      const isAgain = sent.length > 0 && prng.chance(0.06);
      const event = isAgain
        ? { ...prng.pick(sent), atMs }
        : drawEvent(prng, { atMs, messageId: `m${i}-${k}`, users, joining });
      request.push(event);
      sent.push(event);
    }
    requests.push(request);
  }
  return requests;
}

function drawEvent(
  prng: Prng,
  {
    atMs,
    messageId,
    users,
    joining,
  }: { atMs: number; messageId: string; users: number; joining: number },
): PlannedEvent {
  const who = {
    atMs,
    user: `u${prng.below(users)}`,
    isAnonymous: prng.chance(joining > 0 ? 0.3 : 0.1),
    // Of two ids of one user it would name two occurrences alike: see docs/testing/simulation.md.
    messageId: joining === 0 && prng.chance(0.02) ? 'm0-0' : messageId,
  };
  if (prng.chance(0.02)) return { ...who, type: 'nonsense', name: '', facts: {} };
  const age = drawAge(prng);
  if (prng.chance(joining)) {
    const joins = `u${prng.below(users)}`;
    const facts = { id: messageId, plan: prng.pick(PLANS) };
    const type = prng.pick(['identify', 'alias'] as const);
    return { ...who, ...age, isAnonymous: false, type, joins, name: '', facts };
  }
  if (prng.chance(0.08)) {
    const facts = {
      id: messageId,
      plan: prng.pick(PLANS),
      ...(prng.chance(0.4) ? { email: `${who.user}@example.com` } : {}),
      ...(prng.chance(0.3) ? { city: prng.pick(['Paris', null]) } : {}),
    };
    return { ...who, ...age, type: 'identify', name: '', facts };
  }
  const facts = {
    id: messageId,
    price: prng.below(100),
    ...(prng.chance(0.8) ? { cart: prng.pick(CARTS) } : {}),
    ...(prng.chance(0.6) ? { plan: prng.pick(PLANS) } : {}),
    ...(prng.chance(0.3) ? { coupon: 'C', order: { cart: prng.pick(CARTS) } } : {}),
  };
  return { ...who, ...age, type: 'track', name: prng.pick(prng.pick(NAMES)), facts };
}

function drawAge(prng: Prng): { ageMs?: number; skewMs?: number } {
  if (prng.chance(0.4)) return {};
  const skew = prng.chance(0.2) ? { skewMs: prng.below(2 * HOUR_MS) - HOUR_MS } : {};
  if (prng.chance(0.02)) return { ageMs: 4 * DAY_MS };
  if (prng.chance(0.01)) return { ageMs: -2 * DAY_MS };
  if (prng.chance(0.02)) return { ageMs: -10 * 60_000 };
  if (prng.chance(0.03)) return { ageMs: -prng.below(5_000), ...skew };
  return { ageMs: prng.below(2 ** prng.below(17)), ...skew };
}

/** The definitions as a file would say them. */
export function configOf({ webhooks, campaigns }: DefinitionsPlan): unknown {
  return {
    webhooks: webhooks.map((webhook) => ({
      id: webhook.id,
      url: `http://127.0.0.1:9/${webhook.id}`,
      ...(webhook.rate === undefined
        ? {}
        : {
            rate: {
              limit: webhook.rate.limit,
              per: `${webhook.rate.perMs}ms`,
              burst: webhook.rate.burst,
            },
          }),
      maxInFlight: webhook.maxInFlight,
      batch: { max: webhook.batchMax, linger: `${webhook.lingerMs}ms` },
      timeout: `${webhook.timeoutMs}ms`,
      retry: webhook.retryMs.map((ms) => `${ms}ms`),
      secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    })),
    campaigns: campaigns.map(({ id, webhook, state, ttlMs, fields, rule }) => ({
      id,
      webhook,
      state,
      ttl: `${ttlMs}ms`,
      content: { fields },
      qualify: {
        live:
          'action' in rule ? { action: rule.action } : { inaction: inactionConfig(rule.inaction) },
      },
    })),
  };
}

function inactionConfig(inaction: InactionConfig): unknown {
  const { did, without, withinMs, match, onRepeat, graceMs, maxExtendMs } = inaction;
  return {
    did,
    without,
    within: `${withinMs}ms`,
    ...(match === undefined ? {} : { match }),
    onRepeat,
    grace: `${graceMs}ms`,
    maxExtend: `${maxExtendMs}ms`,
  };
}

/** The event as it goes over the wire; what its producer says of time is fixed by `happenedAtMs`. */
export function wireEvent(
  event: PlannedEvent,
  { happenedAtMs, sentAtMs }: { happenedAtMs: number; sentAtMs: number },
): Record<string, unknown> {
  const { type, user, isAnonymous, joins, name, messageId, facts, ageMs, skewMs } = event;
  if (type === 'nonsense') return { type: 'track', userId: user, event: 7 };
  const time = (ms: number) => new Date(ms + (skewMs ?? 0)).toISOString();
  return {
    type,
    ...(isAnonymous ? { anonymousId: user } : { userId: user }),
    ...(joins === undefined ? {} : { [type === 'alias' ? 'previousId' : 'anonymousId']: joins }),
    ...(type === 'track' ? { event: name, properties: facts } : { traits: facts }),
    messageId,
    ...(ageMs === undefined ? {} : { timestamp: time(happenedAtMs) }),
    ...(ageMs === undefined || skewMs === undefined ? {} : { sentAt: time(sentAtMs) }),
  };
}
