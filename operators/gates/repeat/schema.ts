/** `repeat: each | once | {atMost: N} | {every: D}`: how often one user gets the campaign. */
import type * as z from 'zod';
import { DAY_MS, MINUTE_MS } from '../../../engine/time/duration.ts';
import type { Repeat } from '../../definitions.ts';
import {
  duration,
  exactlyOneOf,
  forms,
  integer,
  type Leaf,
  mapping,
  schemaOf,
} from '../../schema/leaf.ts';
import type { Range } from '../../schema/range.ts';
import { gateForm, NO_SETTINGS } from '../gate-form.ts';

export const repeatLimits = {
  atMost: { min: 1, max: 250, default: 1 },
  everyMs: { min: 5 * MINUTE_MS, max: 30 * DAY_MS, default: DAY_MS },
} as const satisfies Record<string, Range>;

const WANTED = 'each, once, {atMost: N} or {every: D}';

const wordLeaf: Leaf<Extract<Repeat['kind'], 'each' | 'once'>> = {
  wanted: WANTED,
  read: (value) => (value === 'each' || value === 'once' ? value : undefined),
  json: { enum: ['each', 'once'] },
};

const repeatSchema = forms(WANTED, [
  schemaOf(wordLeaf),
  mapping({
    atMost: schemaOf(integer(repeatLimits.atMost))
      .describe('At most so many times for one user, ever.')
      .optional(),
    every: schemaOf(duration(repeatLimits.everyMs))
      .describe('Not again for one user until so long after an accepted send.')
      .optional(),
  }).refine(...exactlyOneOf('atMost', 'every')),
]);

function repeatOf(input: z.output<typeof repeatSchema>): Repeat {
  if (typeof input === 'string') return { kind: input };
  if (input.atMost !== undefined) return { kind: 'atMost', atMost: input.atMost };
  // The schema has made sure that one of the two is there.
  return { kind: 'every', everyMs: input.every! };
}

export const repeatForm = gateForm({
  name: 'repeat',
  limits: repeatLimits,
  shape: {
    repeat: repeatSchema
      .prefault('each')
      .describe('How often one user gets this campaign: each time they qualify, once, or less.'),
  },
  fieldsOf: ({ repeat }) => ({ repeat: repeatOf(repeat) }),
  settings: NO_SETTINGS,
});
