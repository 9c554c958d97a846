/** `quiet: {event?, where?, for}`: fires once a user has not done it again for so long. */
import type * as z from 'zod';
import { DAY_MS } from '../../../engine/time/duration.ts';
import type { QuietRule } from '../../definitions.ts';
import { eventSchema, whereSchema } from '../../schema/event-match.ts';
import { duration, mapping, schemaOf } from '../../schema/leaf.ts';
import { WINDOW_MS } from '../../schema/limits.ts';
import { present } from '../../schema/present.ts';
import type { Range } from '../../schema/range.ts';
import type { RuleForm } from '../rule-form.ts';

export const quietLimits = {
  forMs: { ...WINDOW_MS, default: 3 * DAY_MS },
} as const satisfies Record<string, Range>;

const inputSchema = mapping({
  event: eventSchema
    .describe('The event that must not happen again. Absent: any event.')
    .optional(),
  where: whereSchema.describe('Conditions on the properties of the event.').optional(),
  for: schemaOf(duration(quietLimits.forMs)).describe('How long nothing of it must happen.'),
});

function quietRuleOf({ event, where, for: forMs }: z.output<typeof inputSchema>): QuietRule {
  const on = event === undefined && where === undefined ? undefined : present({ event, where });
  return { kind: 'quiet', ...present({ on }), forMs };
}

export const quietSchema = inputSchema.transform(quietRuleOf);

export const quietForm: RuleForm<QuietRule> = {
  schema: quietSchema.describe(
    'Fires once a user who did something has not done it again for this long.',
  ),
  limits: quietLimits,
  spanOf: (rule) => ({ key: 'for', ms: rule.forMs }),
};
