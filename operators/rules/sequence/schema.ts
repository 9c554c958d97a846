/** `sequence: {steps, within}`: fires when one event a step came in order of event time. */
import type * as z from 'zod';
import { HOUR_MS } from '../../../engine/time/duration.ts';
import type { SequenceRule } from '../../definitions.ts';
import { eventMatchSchema, propertySchema } from '../../schema/event-match.ts';
import { duration, listOf, mapping, schemaOf } from '../../schema/leaf.ts';
import { WINDOW_MS } from '../../schema/limits.ts';
import { present } from '../../schema/present.ts';
import type { Range } from '../../schema/range.ts';
import type { RuleForm } from '../rule-form.ts';

export const sequenceLimits = {
  steps: { min: 2, max: 10, default: 2 },
  withinMs: { ...WINDOW_MS, default: HOUR_MS },
} as const satisfies Record<string, Range>;
const { steps, withinMs } = sequenceLimits;

const inputSchema = mapping({
  steps: listOf(eventMatchSchema, steps, `a list of ${steps.min} to ${steps.max} events`).describe(
    'The events, in the order in which they must happen; others between them do not matter.',
  ),
  within: schemaOf(duration(withinMs)).describe(
    'Longest time from the first event to the last, both ends included.',
  ),
  match: propertySchema
    .describe('Property that ties the events: each value has chains of its own.')
    .optional(),
});

function sequenceRuleOf({ within, ...input }: z.output<typeof inputSchema>): SequenceRule {
  return { kind: 'sequence', ...present(input), withinMs: within };
}

export const sequenceSchema = inputSchema.transform(sequenceRuleOf);

export const sequenceForm: RuleForm<SequenceRule> = {
  schema: sequenceSchema.describe(
    'Fires when the user did several things in this order within the time.',
  ),
  limits: sequenceLimits,
  spanOf: (rule) => ({ key: 'within', ms: rule.withinMs }),
};
