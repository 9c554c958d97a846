/** `who`, and `segments:` of a definitions file: which users a campaign is for. */
import type * as z from 'zod';
import type { Audience, Campaign, Segment } from '../definitions.ts';
import { whereSchema } from '../schema/event-match.ts';
import { flag, idLeaf, listOf, mapping, schemaOf, text } from '../schema/leaf.ts';
import { NAME_CHARS_MAX } from '../schema/limits.ts';
import { present } from '../schema/present.ts';
import type { Range } from '../schema/range.ts';

export const audienceLimits = {
  /** Segments in one `include` or `exclude`. */
  segments: { min: 0, max: 100, default: 0 },
  /** Levels of segments that are made of segments. */
  segmentDepth: { min: 1, max: 32, default: 32 },
} as const satisfies Record<string, Range>;

const segmentsSchema = listOf(
  schemaOf(idLeaf),
  audienceLimits.segments,
  `a list of at most ${audienceLimits.segments.max} ids of segments`,
).prefault([]);

const audienceShape = {
  where: whereSchema.describe("Conditions on the user's profile.").optional(),
  include: segmentsSchema.describe('Segments: the user must be in every one of them.'),
  exclude: segmentsSchema.describe('Segments: the user must be in none of them.'),
};
const audienceSchema = mapping(audienceShape);

function audienceOf({ where, include, exclude }: z.output<typeof audienceSchema>): Audience {
  const unique = (ids: readonly string[]) => [...new Set(ids)];
  return { ...present({ where }), include: unique(include), exclude: unique(exclude) };
}

/** `who` of a campaign. */
export const whoSchema = mapping({
  ...audienceShape,
  recheck: schemaOf(flag)
    .prefault(false)
    .describe('Ask again when the delivery is due, by the profile as it then is.'),
}).transform(
  (input): NonNullable<Campaign['who']> => ({ ...audienceOf(input), recheck: input.recheck }),
);

export const segmentSchema = mapping({
  id: schemaOf(idLeaf).describe('What audiences call it.'),
  name: schemaOf(text(`a text of 1 to ${NAME_CHARS_MAX} characters`, { charsMax: NAME_CHARS_MAX }))
    .describe('What people call it. Default: the id.')
    .optional(),
  audience: audienceSchema.describe('Who is in it.'),
}).transform(
  ({ id, name, audience }): Segment => ({ id, name: name ?? id, audience: audienceOf(audience) }),
);
