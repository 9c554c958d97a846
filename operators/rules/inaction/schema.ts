/** `inaction: {did, without, within}`: fires when one event was not followed by another in time. */
import type * as z from 'zod';
import { formatDuration, HOUR_MS } from '../../../engine/time/duration.ts';
import type { InactionRule } from '../../definitions.ts';
import { eventMatchSchema, propertySchema } from '../../schema/event-match.ts';
import { choice, duration, forms, listOf, mapping, schemaOf } from '../../schema/leaf.ts';
import { WINDOW_MS } from '../../schema/limits.ts';
import { present } from '../../schema/present.ts';
import type { Range } from '../../schema/range.ts';
import type { RuleForm } from '../rule-form.ts';

export const inactionLimits = {
  withinMs: { ...WINDOW_MS, default: HOUR_MS },
  graceMs: { min: 0, max: HOUR_MS, default: 0 },
  /** The default of `maxExtend` is this many times `within`. */
  maxExtendFactor: { min: 1, max: 10, default: 10 },
} as const satisfies Record<string, Range>;
const { withinMs, graceMs, maxExtendFactor } = inactionLimits;

const MAX_EXTEND_MS_MAX = withinMs.max * maxExtendFactor.max;
/** Events that cancel one inaction. */
export const WITHOUT_LENGTH_MAX = 25;
const WITHOUT_WANTED = `one event or a list of 1 to ${WITHOUT_LENGTH_MAX}`;

const withoutSchema = forms(WITHOUT_WANTED, [
  eventMatchSchema.transform((one) => [one]),
  listOf(eventMatchSchema, { min: 1, max: WITHOUT_LENGTH_MAX }, WITHOUT_WANTED),
]);

const matchSchema = forms('the name of a property', [
  propertySchema.transform((property) => ({ did: property, without: property })),
  mapping({
    did: propertySchema.describe('Property of the `did` event.'),
    without: propertySchema.describe('Property of the `without` events.'),
  }),
]);

const inputSchema = mapping({
  did: eventMatchSchema.describe('The event that opens a window.'),
  without: withoutSchema.describe('The event, or the events, any of which closes the window.'),
  within: schemaOf(duration(withinMs)).describe('How long the window is, from the time of `did`.'),
  match: matchSchema
    .describe(
      'Property that ties the events, like cart_id: each value has a window of its own. ' +
        'With {did, without} it has two names.',
    )
    .optional(),
  onRepeat: schemaOf(choice('restart', 'keepFirst', 'parallel'))
    .prefault('restart')
    .describe(
      'When `did` comes while its window is open: restart runs the window from the newest, ' +
        'keepFirst ignores it, parallel opens another window.',
    ),
  grace: schemaOf(duration(graceMs))
    .prefault(formatDuration(graceMs.default))
    .describe('How long firing waits for events that arrive late.'),
  maxExtend: schemaOf(duration({ min: withinMs.min, max: MAX_EXTEND_MS_MAX }))
    .describe(
      'How far restarts may extend a window, from the first `did`. ' +
        `Default: ${maxExtendFactor.default} × within.`,
    )
    .optional(),
}).refine((value) => value.maxExtend === undefined || value.maxExtend >= value.within, {
  path: ['maxExtend'],
  message: 'must be at least as long as within',
});

function inactionRuleOf(input: z.output<typeof inputSchema>): InactionRule {
  return {
    kind: 'inaction',
    did: input.did,
    without: input.without,
    withinMs: input.within,
    ...present({ match: input.match }),
    onRepeat: input.onRepeat,
    graceMs: input.grace,
    maxExtendMs: input.maxExtend ?? input.within * maxExtendFactor.default,
  };
}

export const inactionSchema = inputSchema.transform(inactionRuleOf);

export const inactionForm: RuleForm<InactionRule> = {
  schema: inactionSchema.describe(
    'Fires when the user did something and then, within the time, did not do something else.',
  ),
  limits: inactionLimits,
  spanOf: (rule) => ({ key: 'within', ms: rule.withinMs }),
};
