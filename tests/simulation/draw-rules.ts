/** Draws rules that look at several events, at silence and at dates. */
import type { Prng } from '../support/prng.ts';
import { drawMatch } from './draw-campaigns.ts';
import type { DateConfig, QuietConfig, RuleConfig } from './workload.ts';

const WITHIN_MS = [1_000, 2_000, 5_000, 20_000, 60_000];

export function drawOtherRule(
  prng: Prng,
  kind: 'sequence' | 'count' | 'quiet' | 'date',
): RuleConfig {
  const match = prng.chance(0.3) ? { match: 'cart' } : {};
  const withinMs = prng.pick(WITHIN_MS);
  if (kind === 'sequence') {
    const steps = Array.from({ length: prng.pick([2, 2, 3]) }, () => drawMatch(prng));
    return { sequence: { steps, withinMs, ...match } };
  }
  if (kind === 'count') {
    const enough = prng.chance(0.6)
      ? { atLeast: 1 + prng.below(4) }
      : { sum: { property: 'price', gte: 20 + prng.below(200) } };
    return { count: { on: drawMatch(prng), ...enough, withinMs, ...match } };
  }
  return kind === 'quiet' ? { quiet: drawQuiet(prng) } : { date: drawDate(prng) };
}

function drawQuiet(prng: Prng): QuietConfig {
  const on = prng.chance(0.7) ? { on: drawMatch(prng) } : {};
  return { ...on, forMs: prng.pick([1_000, 2_000, 5_000, 20_000]) };
}

function drawDate(prng: Prng): DateConfig {
  const ms = prng.pick([0, 0, 2_000, 30_000, -1_000]);
  return {
    ...(prng.chance(0.5) ? { on: drawMatch(prng) } : {}),
    property: 'day',
    offset: prng.chance(0.2) ? { days: -1, ms: 0 } : { days: 0, ms },
    ...(prng.chance(0.3) ? { atMinute: prng.pick([9 * 60 + 1, 9 * 60 + 2, 14 * 60 + 31]) } : {}),
    yearly: prng.chance(0.3),
  };
}

/** Dates that a property or an attribute holds; some of them are none. */
export function drawDay(prng: Prng, startMs: number, atMs: number): unknown {
  const soonMs = startMs + atMs + prng.below(20_000);
  const soon = new Date(soonMs).toISOString();
  return prng.pick([
    soon,
    soon,
    soon.replace('2026', '2020'),
    new Date(soonMs + 86_400_000).toISOString(),
    '2026-01-05',
    '2024-01-05',
    '2019-01-06',
    null,
    'soon',
  ]);
}
