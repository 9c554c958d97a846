/** `{event: Charged, where: {amount: {gt: 0}}}`, in every rule and goal; and `who.where`. */
import * as z from 'zod';
import { LapseError } from '../../engine/errors/errors.ts';
import type { EventMatch } from '../definitions.ts';
import type { Filter } from '../filters/filter.ts';
import { filterProblemsOf, parseFilter } from '../filters/parse.ts';
import { type Leaf, mapping, schemaOf, text } from './leaf.ts';
import { EVENT_NAME_CHARS_MAX, NAME_CHARS_MAX } from './limits.ts';
import { present } from './present.ts';

/** Stands for the path in sentences of parsers that are called before it is known. */
export const PATH_PLACEHOLDER = '\u0000';
export const FILTER_SCHEMA_REF = '#/$defs/where';

export const whereSchema = z
  .unknown()
  .transform((value, context): Filter => {
    try {
      return parseFilter(value, PATH_PLACEHOLDER);
    } catch (error) {
      if (!(error instanceof LapseError)) throw error;
      for (const { message, code, facts } of filterProblemsOf(error)) {
        const params = { code, path: facts.path };
        context.issues.push({ code: 'custom', message, params, input: value });
      }
      return z.NEVER;
    }
  })
  .meta({ $ref: FILTER_SCHEMA_REF });

export const eventSchema = schemaOf(
  text('the name of an event', { charsMax: EVENT_NAME_CHARS_MAX }),
).describe('Name of the event; upper and lower case and spaces make no difference.');

/** The keys of an event match, for rules that have them beside their own. */
export const eventMatchShape = {
  event: eventSchema,
  where: whereSchema.describe('Conditions on the properties of the event.').optional(),
};

export const eventMatchSchema = mapping(eventMatchShape)
  .meta({ id: 'eventMatch' })
  .transform((input): EventMatch => present(input));

const propertyLeaf: Leaf<string> = text('the name of a property', { charsMax: NAME_CHARS_MAX });

/** `cart_id`, or a path `cart.id`. */
export const propertySchema = schemaOf(propertyLeaf);
