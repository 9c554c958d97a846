/** `campaigns:` of a definitions file. */
import * as z from 'zod';
import { LapseError } from '../../engine/errors/errors.ts';
import { fnv1a32, mix32 } from '../../engine/state/hash.ts';
import type {
  Campaign,
  EventMatch,
  InactionRule,
  PayloadField,
  Rule,
} from '../../operators/definitions.ts';
import type { Filter } from '../../operators/filters/filter.ts';
import { filterProblemsOf, parseFilter } from '../../operators/filters/parse.ts';
import {
  EVENT_NAME_CHARS_MAX,
  KEY_VALUE_CHARS_MAX,
  KEY_VALUES_MAX,
  campaignLimits as limits,
  MAX_EXTEND_MS_MAX,
  NAME_CHARS_MAX,
  TARGET_ID_DERIVED_MAX,
  WITHOUT_LENGTH_MAX,
} from '../limits.ts';
import {
  choice,
  duration,
  exactlyOneOf,
  idLeaf,
  integer,
  type Leaf,
  mapping,
  schemaOf,
  text,
} from './leaf.ts';

/** Stands for the path in sentences of parsers that are called before it is known. */
export const PATH_PLACEHOLDER = '\u0000';
export const FILTER_SCHEMA_REF = '#/$defs/where';

const whereSchema = z
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

const eventMatchSchema = mapping({
  event: schemaOf(text('the name of an event', { charsMax: EVENT_NAME_CHARS_MAX })),
  where: whereSchema.optional(),
}).meta({ id: 'eventMatch' });
const EVENT_MATCH_JSON = { $ref: '#/$defs/eventMatch' };

const propertySchema = schemaOf(text('the name of a property', { charsMax: NAME_CHARS_MAX }));

const withoutSchema = z
  .preprocess(
    (value) => (Array.isArray(value) || value === undefined ? value : [value]),
    z
      .array(eventMatchSchema)
      .refine((list) => list.length >= 1 && list.length <= WITHOUT_LENGTH_MAX, {
        message: `must be one event or a list of 1 to ${WITHOUT_LENGTH_MAX}`,
      }),
  )
  .meta({ anyOf: [EVENT_MATCH_JSON, { type: 'array', items: EVENT_MATCH_JSON, minItems: 1 }] });

const matchSchema = z
  .preprocess(
    (value) => (typeof value === 'string' ? { did: value, without: value } : value),
    mapping({ did: propertySchema, without: propertySchema }),
  )
  .meta({
    anyOf: [
      { type: 'string' },
      {
        type: 'object',
        properties: { did: { type: 'string' }, without: { type: 'string' } },
        required: ['did', 'without'],
        additionalProperties: false,
      },
    ],
  });

const inactionSchema = mapping({
  did: eventMatchSchema,
  without: withoutSchema,
  within: schemaOf(duration(limits.withinMs)),
  match: matchSchema.optional(),
  onRepeat: schemaOf(choice('restart', 'keepFirst', 'parallel')).default('restart'),
  grace: schemaOf(duration(limits.graceMs)).default(limits.graceMs.default),
  maxExtend: schemaOf(duration({ min: limits.withinMs.min, max: MAX_EXTEND_MS_MAX })).optional(),
}).refine((value) => value.maxExtend === undefined || value.maxExtend >= value.within, {
  path: ['maxExtend'],
  message: 'must be at least as long as within',
});

const liveSchema = mapping({
  action: eventMatchSchema.optional(),
  inaction: inactionSchema.optional(),
}).refine(...exactlyOneOf('action', 'inaction'));

const qualifySchema = mapping({ live: liveSchema.optional() }).refine(
  ({ live }) => live !== undefined,
  { message: 'must be a mapping with live' },
);

const PAYLOAD_FIELDS = [
  'email',
  'identity',
  'objectId',
  'profileData',
  'eventProperties',
  'pushToken',
] as const satisfies readonly PayloadField[];

const literalLeaf: Leaf<string> = {
  wanted: `a text of at most ${KEY_VALUE_CHARS_MAX} characters, a number, true or false`,
  read: (value) => {
    if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
    if (typeof value === 'boolean') return String(value);
    return typeof value === 'string' && value.length <= KEY_VALUE_CHARS_MAX ? value : undefined;
  },
  json: { type: ['string', 'number', 'boolean'] },
};

const literals = z
  .record(z.string(), schemaOf(literalLeaf))
  .refine((value) => Object.keys(value).length <= KEY_VALUES_MAX, {
    message: `must be a mapping of at most ${KEY_VALUES_MAX} values`,
  })
  .default({});

const contentSchema = mapping({
  mode: schemaOf(choice('variables')).default('variables'),
  type: schemaOf(choice('json')).default('json'),
  payload: schemaOf(choice('v1')).default('v1'),
  fields: z.array(schemaOf(choice(...PAYLOAD_FIELDS))).default([...PAYLOAD_FIELDS]),
  keyValues: literals,
  query: literals,
});

export const campaignSchema = mapping({
  id: schemaOf(idLeaf),
  name: schemaOf(
    text(`a text of 1 to ${NAME_CHARS_MAX} characters`, { charsMax: NAME_CHARS_MAX }),
  ).optional(),
  targetId: schemaOf(integer({ min: 1, max: Number.MAX_SAFE_INTEGER })).optional(),
  webhook: schemaOf(idLeaf),
  state: schemaOf(choice('draft', 'running')).default('running'),
  qualify: qualifySchema,
  repeat: schemaOf(choice('each')).optional(),
  globalLimits: schemaOf<false>({
    wanted: 'true or false',
    read: (value) => (value === false ? false : undefined),
    json: { type: 'boolean' },
  }).optional(),
  schedule: mapping({ start: schemaOf(choice('now')).optional() }).optional(),
  ttl: schemaOf(duration(limits.ttlMs)).default(limits.ttlMs.default),
  content: contentSchema.optional(),
});

type CampaignInput = z.output<typeof campaignSchema>;
type EventMatchInput = z.output<typeof eventMatchSchema>;

/** A positive 31-bit number, the same for the same id on every machine. */
export function derivedTargetId(campaignId: string): number {
  const hash = mix32(fnv1a32(new TextEncoder().encode(campaignId)));
  return (hash % TARGET_ID_DERIVED_MAX) + 1;
}

function eventMatchOf({ event, where }: EventMatchInput): EventMatch {
  return where === undefined ? { event } : { event, where };
}

function ruleOf({ live }: CampaignInput['qualify']): Rule {
  if (live?.action !== undefined) return { kind: 'action', on: eventMatchOf(live.action) };
  // The schema has made sure that one of the two is there.
  const inaction = live!.inaction!;
  const rule: InactionRule = {
    kind: 'inaction',
    did: eventMatchOf(inaction.did),
    without: inaction.without.map(eventMatchOf),
    withinMs: inaction.within,
    ...(inaction.match === undefined ? {} : { match: inaction.match }),
    onRepeat: inaction.onRepeat,
    graceMs: inaction.grace,
    maxExtendMs: inaction.maxExtend ?? inaction.within * limits.maxExtendFactor.default,
  };
  return rule;
}

/** The campaign as the engine knows it. */
export function campaignOf(input: CampaignInput): Campaign {
  const { content } = input;
  const fields = new Set<PayloadField>(content?.fields ?? PAYLOAD_FIELDS);
  return {
    id: input.id,
    name: input.name ?? input.id,
    targetId: input.targetId ?? derivedTargetId(input.id),
    webhook: input.webhook,
    state: input.state,
    labels: [],
    rule: ruleOf(input.qualify),
    control: { percent: 0, custom: [] },
    repeat: { kind: 'each' },
    delayMs: 0,
    globalLimits: input.globalLimits ?? true,
    cap: {},
    schedule: {},
    suppressIfDone: true,
    onOpenWindows: 'keep',
    ttlMs: input.ttl,
    content: {
      mode: 'variables',
      type: 'json',
      fields: PAYLOAD_FIELDS.filter((field) => fields.has(field)),
      keyValues: content?.keyValues ?? {},
      query: content?.query ?? {},
    },
  };
}
