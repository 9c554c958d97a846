/** `count: {event, atLeast | sum, within}`: fires at the N-th event, or at a sum, in a window. */
import type * as z from 'zod';
import { HOUR_MS } from '../../../engine/time/duration.ts';
import type { CountRule } from '../../definitions.ts';
import { eventMatchShape, propertySchema } from '../../schema/event-match.ts';
import { duration, integer, type Leaf, mapping, schemaOf } from '../../schema/leaf.ts';
import { WINDOW_MS } from '../../schema/limits.ts';
import { present } from '../../schema/present.ts';
import type { Range } from '../../schema/range.ts';
import type { RuleForm } from '../rule-form.ts';

export const countLimits = {
  atLeast: { min: 1, max: 1_000, default: 1 },
  withinMs: { ...WINDOW_MS, default: HOUR_MS },
} as const satisfies Record<string, Range>;

/** A sum that zero events reach would be met before anything happened. */
const sumLeaf: Leaf<number> = {
  wanted: 'a number above 0',
  read: (value) => {
    const isDigits = typeof value === 'string' && /^\d{1,16}(?:\.\d{1,16})?$/.test(value);
    const number = Number(isDigits ? value : Number.NaN);
    const sum = typeof value === 'number' ? value : number;
    return Number.isFinite(sum) && sum > 0 ? sum : undefined;
  },
  json: { type: ['number', 'string'] },
};

const inputSchema = mapping({
  ...eventMatchShape,
  atLeast: schemaOf(integer(countLimits.atLeast))
    .describe('How many such events; the last of them fires, and then all of them are used up.')
    .optional(),
  sum: mapping({
    property: propertySchema.describe('Property of the event that is added up.'),
    gte: schemaOf(sumLeaf).describe('The sum that fires.'),
  })
    .describe('Fires at a sum instead of a number of events.')
    .optional(),
  within: schemaOf(duration(countLimits.withinMs)).describe(
    'Longest time from the first of the events to the last, both ends included.',
  ),
  match: propertySchema.describe('Property whose values are counted apart, like sku.').optional(),
}).refine(({ atLeast, sum }) => (atLeast === undefined) !== (sum === undefined), {
  message: 'must be a mapping with exactly one of atLeast, sum',
});

function countRuleOf(input: z.output<typeof inputSchema>): CountRule {
  const { event, where, within, ...rest } = input;
  return { kind: 'count', on: present({ event, where }), ...present(rest), withinMs: within };
}

export const countSchema = inputSchema.transform(countRuleOf);

export const countForm: RuleForm<CountRule> = {
  schema: countSchema.describe(
    'Fires when the user did something so many times, or for such a sum, in a sliding window.',
  ),
  limits: countLimits,
  spanOf: (rule) => ({ key: 'within', ms: rule.withinMs }),
};
