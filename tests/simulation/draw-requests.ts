/** Draws what users do, and in which requests it comes. */
import type { Prng } from '../support/prng.ts';
import { BUSY_NAME, NAMES } from './draw-campaigns.ts';
import { drawDay } from './draw-rules.ts';
import { START_MS } from './wire.ts';
import type { CampaignPlan, PlannedEvent } from './workload.ts';

const CARTS = ['x', 'y', 7];
const PLANS = ['free', 'pro', 'team'];
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

export function drawRequests(
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
      const late = event.joins === undefined ? undefined : lateOne(prng, event, campaigns);
      if (late !== undefined) request.push(late);
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

/** What an id does right before it joins another: it opens a window that is over by then. */
function lateOne(
  prng: Prng,
  { atMs, messageId, joins, facts }: PlannedEvent,
  campaigns: readonly CampaignPlan[],
): PlannedEvent | undefined {
  const { rule } = prng.pick(campaigns);
  if (!('inaction' in rule) || !prng.chance(0.3)) return undefined;
  const { did, withinMs, graceMs } = rule.inaction;
  const id = `${messageId}-late`;
  return {
    atMs,
    type: 'track',
    user: joins!,
    isAnonymous: true,
    name: did.event,
    messageId: id,
    facts: { id, price: prng.below(100), cart: prng.pick(CARTS), plan: facts.plan },
    ageMs: withinMs + graceMs + prng.below(3),
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
      ...(prng.chance(0.2)
        ? { timezone: prng.pick(['Asia/Kolkata', 'Europe/Paris', 'Moon']) }
        : {}),
      ...(prng.chance(0.6) ? { day: drawDay(prng, START_MS, who.atMs) } : {}),
    };
    return { ...who, ...age, type: 'identify', name: '', facts };
  }
  const facts = {
    id: messageId,
    price: prng.below(100),
    ...(prng.chance(0.8) ? { cart: prng.pick(CARTS) } : {}),
    ...(prng.chance(0.6) ? { plan: prng.pick(PLANS) } : {}),
    ...(prng.chance(0.5) ? { day: drawDay(prng, START_MS, who.atMs) } : {}),
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
