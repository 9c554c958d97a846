/** `date: {event?, property, offset, at?, yearly?}`: fires at a date that a property holds. */
import type * as z from 'zod';
import { DAY_MS } from '../../../engine/time/duration.ts';
import type { DateRule } from '../../definitions.ts';
import { eventSchema, propertySchema, whereSchema } from '../../schema/event-match.ts';
import { flag, mapping, schemaOf } from '../../schema/leaf.ts';
import { present } from '../../schema/present.ts';
import type { Range } from '../../schema/range.ts';
import { offset, timeOfDayLeaf } from '../../schema/time-leaves.ts';
import type { RuleForm } from '../rule-form.ts';

export const dateLimits = {
  /** To both sides of the date. */
  offsetMs: { min: 0, max: 3_650 * DAY_MS, default: 0 },
} as const satisfies Record<string, Range>;

const inputSchema = mapping({
  event: eventSchema
    .describe('The event whose property holds the date. Absent: an attribute of the profile.')
    .optional(),
  where: whereSchema.describe('Conditions on the properties of the event.').optional(),
  property: propertySchema.describe('Property or attribute that holds the date.'),
  offset: schemaOf(offset(dateLimits.offsetMs.max))
    .prefault('0d')
    .describe('Added to the date: -5d is five calendar days before it, 2h two hours after it.'),
  at: schemaOf(timeOfDayLeaf)
    .describe("Time of that day, in the user's zone, else the account's.")
    .optional(),
  yearly: schemaOf(flag)
    .prefault(false)
    .describe('Each year on that day; 29 February is 28 February in other years.'),
}).refine(({ event, where }) => event !== undefined || where === undefined, {
  path: ['where'],
  message: 'must be left out without event (conditions on the profile stand in who.where)',
});

function dateRuleOf(input: z.output<typeof inputSchema>): DateRule {
  const { event, where, property, offset, at, yearly } = input;
  const on = event === undefined ? undefined : present({ event, where });
  return {
    kind: 'date',
    ...present({ on }),
    property,
    offset,
    ...present({ atMinute: at }),
    yearly,
  };
}

export const dateSchema = inputSchema.transform(dateRuleOf);

export const dateForm: RuleForm<DateRule> = {
  schema: dateSchema.describe(
    'Fires at the date that an attribute of the profile, or the property of an event, holds.',
  ),
  limits: dateLimits,
  spanOf: () => undefined,
};
