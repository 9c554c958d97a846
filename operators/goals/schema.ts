/** `goal: {event, where, within, revenue}`: what counts as a conversion. */
import { DAY_MS, MINUTE_MS } from '../../engine/time/duration.ts';
import type { Goal } from '../definitions.ts';
import { eventMatchShape, propertySchema } from '../schema/event-match.ts';
import { duration, mapping, schemaOf } from '../schema/leaf.ts';
import { present } from '../schema/present.ts';
import type { Range } from '../schema/range.ts';

export const goalLimits = {
  withinMs: { min: MINUTE_MS, max: 150 * DAY_MS, default: 3 * DAY_MS },
} as const satisfies Record<string, Range>;

export const goalSchema = mapping({
  ...eventMatchShape,
  within: schemaOf(duration(goalLimits.withinMs)).describe(
    'How long after the first accepted send the event still counts.',
  ),
  revenue: propertySchema.describe('Property of the event that holds an amount.').optional(),
}).transform(
  ({ event, where, within, revenue }): Goal => ({
    on: present({ event, where }),
    withinMs: within,
    ...present({ revenue }),
  }),
);
