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

export interface PlannedVersion {
  readonly atMs: number;
  readonly plan: DefinitionsPlan;
  /** What is other than in the one before; undefined for the first. */
  readonly change?: Change;
}

export type Change =
  | 'rule changed'
  | 'removed'
  | 'added'
  | `${'state' | 'content' | 'webhook'} changed`;

export interface Workload {
  readonly partitionCount: number;
  /** Versions of the definitions, each from its instant on, ms after the start. */
  readonly versions: readonly PlannedVersion[];
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
const BUSY_NAME = 'Viewed';
const CARTS = ['x', 'y', 7];
const PLANS = ['free', 'pro', 'team'];
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Draws campaigns, events and changes; the faults are drawn elsewhere. */
export function drawWorkload(prng: Prng, isStormy: boolean): Workload {
  const webhooks = Array.from({ length: 1 + prng.below(2) }, (_, i) => drawWebhook(prng, `w${i}`));
  const campaigns = Array.from({ length: 1 + prng.below(5) }, (_, i) =>
    drawCampaign(prng, `c${i}`, webhooks),
  );
  // One user does one thing again and again: as often as a window may restart, or be opened.
  const isBusy = !isStormy && prng.chance(0.06);
  if (isBusy) campaigns[0] = busyCampaign(prng, webhooks);
  const requests = drawRequests(prng, { campaigns, isBusy, isStormy });
  const endMs = requests.at(-1)![0]!.atMs;
  const first: DefinitionsPlan = { webhooks, campaigns };
  const versions: PlannedVersion[] = [{ atMs: 0, plan: first }];
  const changes = prng.chance(0.5) ? 0 : 1 + prng.below(3);
  const instants = Array.from({ length: changes }, () => prng.below(endMs + 1));
  instants.sort((a, b) => a - b);
  for (let i = 0; i < changes; i++) {
    const before = versions.at(-1)!.plan;
    versions.push({ atMs: instants[i]!, ...changePlan(prng, before) });
  }
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

function busyCampaign(prng: Prng, webhooks: readonly WebhookPlan[]): CampaignPlan {
  const { match: _, ...inaction } = drawInaction(prng);
  return {
    ...drawCampaign(prng, 'c0', webhooks),
    state: 'running',
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
function changePlan(
  prng: Prng,
  { webhooks, campaigns }: DefinitionsPlan,
): { plan: DefinitionsPlan; change: Change } {
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
  ]);
  if (change === 'removed' && changed.length === 1) change = 'added';
  if (change === 'rule changed')
    changed[at] = { ...one, rule: drawCampaign(prng, one.id, webhooks).rule };
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
  return { plan: { webhooks, campaigns: changed }, change };
}

function drawRequests(
  prng: Prng,
  load: {
    readonly campaigns: readonly CampaignPlan[];
    readonly isBusy: boolean;
    readonly isStormy: boolean;
  },
): PlannedEvent[][] {
  const { campaigns, isBusy, isStormy } = load;
  const users = isBusy ? 1 : 1 + prng.below(6);
  const count = isBusy ? 110 + prng.below(30) : 15 + prng.below(60);
  const paceMs = isBusy ? 20 : prng.pick([5, 60, 300, 1_500]);
  // In some runs nobody joins anybody, in others many do.
  const joining = isBusy ? 0 : prng.pick(isStormy ? [0.1, 0.2, 0.3] : [0, 0, 0.03, 0.1]);
  const requests: PlannedEvent[][] = [];
  const sent: PlannedEvent[] = [];
  let atMs = 200;
  for (let i = 0; i < count; i++) {
    atMs += prng.chance(0.3) ? 0 : prng.below(2 * paceMs);
    const size = prng.chance(0.7) ? 1 : 2 + prng.below(5);
    const request: PlannedEvent[] = [];
    for (let k = 0; k < size; k++) {
      const event = drawNext(
        prng,
        sent,
        { atMs, messageId: `m${i}-${k}`, users, joining },
        campaigns,
      );
      const isTheOne = isBusy && event.type === 'track' && prng.chance(0.7);
      const { ageMs: _, skewMs: __, ...now } = event;
      const planned = isTheOne ? { ...now, name: BUSY_NAME } : event;
      request.push(planned);
      sent.push(planned);
    }
    requests.push(request);
  }
  return requests;
}

interface EventDraw {
  readonly atMs: number;
  readonly messageId: string;
  readonly users: number;
  readonly joining: number;
}

/** One that was sent before, one that answers another, or a new one. */
function drawNext(
  prng: Prng,
  sent: readonly PlannedEvent[],
  draw: EventDraw,
  campaigns: readonly CampaignPlan[],
): PlannedEvent {
  if (sent.length > 0 && prng.chance(0.06)) return { ...prng.pick(sent), atMs: draw.atMs };
  const event = drawEvent(prng, draw);
  if (!prng.chance(0.1)) return event;
  return answerTo(prng, sent, event, campaigns) ?? event;
}

/** A `without` that happened to the ms when the window of an earlier `did` ends, or 1 ms beside it. */
function answerTo(
  prng: Prng,
  sent: readonly PlannedEvent[],
  event: PlannedEvent,
  campaigns: readonly CampaignPlan[],
): PlannedEvent | undefined {
  const { rule } = prng.pick(campaigns);
  if (!('inaction' in rule) || event.type !== 'track') return undefined;
  const { did } = rule.inaction;
  const dids = sent.filter(({ name, ageMs }) => isSameName(name, did.event) && ageMs !== undefined);
  if (dids.length === 0) return undefined;
  const { atMs, ageMs = 0, skewMs, user, isAnonymous, facts } = prng.pick(dids);
  const endsAtMs = atMs - ageMs + rule.inaction.withinMs + prng.pick([0, 0, 0, 1, -1]);
  return {
    ...event,
    user,
    isAnonymous,
    name: prng.pick(rule.inaction.without).event,
    facts: { ...facts, id: event.facts.id },
    ageMs: event.atMs - endsAtMs,
    ...(skewMs === undefined ? {} : { skewMs: 0 }),
  };
}

function isSameName(one: string, other: string): boolean {
  return NAMES.some((spellings) => spellings.includes(one) && spellings.includes(other));
}

function drawEvent(prng: Prng, { atMs, messageId, users, joining }: EventDraw): PlannedEvent {
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
