/** `globalLimits`, and `settings.globalLimits`: how much one user gets from all campaigns. */
import type * as z from 'zod';
import { DAY_MS, MINUTE_MS } from '../../../engine/time/duration.ts';
import type { GlobalLimit, Settings } from '../../definitions.ts';
import { duration, flag, integer, listOf, mapping, schemaOf } from '../../schema/leaf.ts';
import type { Range } from '../../schema/range.ts';
import { gateForm } from '../gate-form.ts';

export const globalLimitLimits = {
  limits: { min: 0, max: 10, default: 0 },
  atMost: { min: 1, max: 250, default: 3 },
  perMs: { min: MINUTE_MS, max: 30 * DAY_MS, default: DAY_MS },
  gapMs: { min: MINUTE_MS, max: 30 * DAY_MS, default: 15 * MINUTE_MS },
} as const satisfies Record<string, Range>;
const { limits, atMost, perMs, gapMs } = globalLimitLimits;

const limitSchema = mapping({
  atMost: schemaOf(integer(atMost)).describe('At most so many sends in the time `per`.').optional(),
  per: schemaOf(duration(perMs)).describe('The time in which sends are counted.').optional(),
  gap: schemaOf(duration(gapMs)).describe('Least time between two sends.').optional(),
}).refine(
  ({ atMost, per, gap }) =>
    gap === undefined ? atMost !== undefined && per !== undefined : (atMost ?? per) === undefined,
  { message: 'must be {atMost, per} or {gap}' },
);

function globalLimitOf({ atMost, per, gap }: z.output<typeof limitSchema>): GlobalLimit {
  if (gap !== undefined) return { kind: 'gap', gapMs: gap };
  // The schema has made sure that both are there when there is no gap.
  return { kind: 'atMost', atMost: atMost!, perMs: per! };
}

export const globalLimitForm = gateForm({
  name: 'global-limit',
  limits: globalLimitLimits,
  shape: {
    globalLimits: schemaOf(flag)
      .prefault(true)
      .describe(
        'Whether settings.globalLimits hold this campaign back; its sends count in any case.',
      ),
  },
  fieldsOf: ({ globalLimits }) => ({ globalLimits }),
  settings: {
    shape: {
      globalLimits: listOf(
        limitSchema.transform(globalLimitOf),
        limits,
        `a list of at most ${limits.max} limits`,
      )
        .meta({ default: [] })
        .describe('What one user gets at most, over all campaigns: {atMost, per} or {gap}.')
        .optional(),
    },
    of: ({ globalLimits }, base: Settings) => ({ globalLimits: globalLimits ?? base.globalLimits }),
  },
});
