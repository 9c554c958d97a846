/** Draws what gates are asked for, settings of the account, and what is done to campaigns. */
import type { Prng } from '../support/prng.ts';
import { drawMatch } from './draw-campaigns.ts';
import type {
  AudiencePlan,
  GatesPlan,
  GlobalLimitPlan,
  GoalPlan,
  PlannedAction,
  PlannedVersion,
  QuietHoursPlan,
  SegmentPlan,
  SettingsPlan,
  Where,
} from './workload.ts';

const MINUTE_MS = 60_000;
/** Minutes of the day around which a run lies, by the clock of UTC, Paris and Kolkata. */
const MINUTES = [9 * 60, 10 * 60, 14 * 60 + 30];

export function drawGates(prng: Prng): GatesPlan {
  // Many campaigns have none, so that what rules decide is seen unhindered.
  if (prng.chance(0.35)) return {};
  const some = <K extends string, V>(key: K, share: number, draw: () => V) =>
    prng.chance(share) ? ({ [key]: draw() } as Record<K, V>) : {};
  return {
    ...some('who', 0.3, () => ({ ...drawAudience(prng), recheck: prng.chance(0.5) })),
    ...some('control', 0.3, () => ({
      percent: prng.pick([0, 30, 60]),
      custom: prng.chance(0.4) ? ['held'] : [],
    })),
    ...some('repeat', 0.35, () =>
      prng.pick(['once' as const, { atMost: 1 + prng.below(3) }, { everyMs: 5 * MINUTE_MS }]),
    ),
    ...some('delayMs', 0.35, () => prng.pick([500, 2_000, 10_000])),
    ...some('quietHours', 0.25, () => drawQuietHours(prng)),
    ...some('suppressIfDone', 0.2, () => false),
    ...some('goal', 0.4, () => drawGoal(prng)),
    ...some('globalLimits', 0.2, () => false),
    ...some('schedule', 0.3, () => drawSchedule(prng)),
    ...some('cap', 0.25, () =>
      prng.pick([{ total: 1 + prng.below(4) }, { perDay: 1 + prng.below(4) }]),
    ),
    ...some('onOpenWindows', 0.5, () => prng.pick(['keep', 'drop'] as const)),
  };
}

function drawAudience(prng: Prng): AudiencePlan {
  const where = prng.pick<Where | undefined>([
    undefined,
    { plan: 'pro' },
    { plan: { ne: 'free' } },
    { city: { exists: true } },
    { any: [{ plan: 'team' }, { email: { exists: true } }] },
  ]);
  return {
    ...(where === undefined ? {} : { where }),
    include: prng.chance(0.3) ? [prng.pick(['paying', 'reachable'])] : [],
    exclude: prng.chance(0.3) ? ['parisians'] : [],
  };
}

export function drawSegments(): SegmentPlan[] {
  const none = { include: [], exclude: [] };
  return [
    { id: 'paying', audience: { where: { plan: { in: ['pro', 'team'] } }, ...none } },
    { id: 'parisians', audience: { where: { city: 'Paris' }, ...none } },
    {
      id: 'reachable',
      audience: {
        where: { email: { exists: true } },
        include: ['paying'],
        exclude: ['parisians'],
      },
    },
  ];
}

function drawQuietHours(prng: Prng): QuietHoursPlan {
  const start = prng.pick(MINUTES);
  const windows = Array.from({ length: 1 + prng.below(2) }, () => {
    const fromMinute = start + prng.below(2);
    return { fromMinute, toMinute: fromMinute + 1 + prng.below(2) };
  });
  return {
    windows,
    timezone: prng.pick(['user', 'account', 'UTC', 'Asia/Kolkata']),
    isDiscarding: prng.chance(0.4),
  };
}

function drawGoal(prng: Prng): GoalPlan {
  return {
    on: drawMatch(prng),
    withinMs: MINUTE_MS,
    ...(prng.chance(0.5) ? { revenue: 'price' } : {}),
  };
}

function drawSchedule(prng: Prng): NonNullable<GatesPlan['schedule']> {
  // An end right after a start is refused: rule and delay would never come to their end.
  return prng.chance(0.4)
    ? { startMs: prng.below(5_000) }
    : { endMs: 1_000 + prng.below(prng.pick([10_000, 60_000])) };
}

export function drawSettings(prng: Prng): SettingsPlan {
  const limit = (): GlobalLimitPlan =>
    prng.chance(0.6)
      ? { atMost: 1 + prng.below(4), perMs: prng.pick([1, 5]) * 3_600_000 }
      : { gapMs: MINUTE_MS };
  return {
    timezone: prng.pick(['UTC', 'UTC', 'Europe/Paris']),
    globalLimits: prng.chance(0.2) ? Array.from({ length: 1 + prng.below(2) }, limit) : [],
    system: prng.pick([0, 0, 0, 5]),
    custom: { held: prng.pick([10, 40]) },
  };
}

/** Campaigns are paused and go on, or are stopped for good; in the end none is paused. */
export function drawActions(
  prng: Prng,
  versions: readonly PlannedVersion[],
  endMs: number,
): PlannedAction[] {
  const actions: PlannedAction[] = [];
  if (!prng.chance(0.4)) return actions;
  const ids = versions[0]!.plan.campaigns.map(({ id }) => id);
  const paused = new Set<string>();
  const instants = Array.from({ length: 1 + prng.below(5) }, () => prng.below(endMs + 1));
  for (const atMs of instants.sort((a, b) => a - b)) {
    const campaign = prng.pick(ids);
    const isPaused = paused.has(campaign);
    const action = isPaused
      ? prng.pick(['resume', 'resume', 'stop'] as const)
      : prng.pick(['pause', 'pause', 'pause', 'stop', 'archive'] as const);
    if (action === 'pause') paused.add(campaign);
    else paused.delete(campaign);
    actions.push({ atMs, campaign, action });
  }
  for (const campaign of paused) actions.push({ atMs: endMs, campaign, action: 'resume' });
  return actions;
}
