/** `campaigns:` of a definitions file. */
import * as z from 'zod';
import { fnv1a32, mix32 } from '../../engine/state/hash.ts';
import { formatDuration } from '../../engine/time/duration.ts';
import { whoSchema } from '../../operators/audience/schema.ts';
import type { Campaign, PayloadField, Rule } from '../../operators/definitions.ts';
import { gateFieldsOf, gateShape } from '../../operators/gates/schemas.ts';
import { goalSchema } from '../../operators/goals/schema.ts';
import { TEMPLATE_CHARS_MAX } from '../../operators/render/liquid.ts';
import { RULE_FORMS } from '../../operators/rules/schemas.ts';
import {
  choice,
  duration,
  exactlyOneOf,
  idLeaf,
  integer,
  type Leaf,
  listOf,
  mapping,
  schemaOf,
  text,
} from '../../operators/schema/leaf.ts';
import { present } from '../../operators/schema/present.ts';
import {
  KEY_VALUE_CHARS_MAX,
  KEY_VALUES_MAX,
  LABELS_MAX,
  campaignLimits as limits,
  NAME_CHARS_MAX,
  TARGET_ID_DERIVED_MAX,
} from '../limits.ts';
import { headers } from './header-schema.ts';
import { checkBody, templateOf } from './template-leaf.ts';

type RuleKind = Rule['kind'];
const RULE_KINDS = Object.keys(RULE_FORMS) as RuleKind[];

const liveSchema = mapping(
  Object.fromEntries(RULE_KINDS.map((kind) => [kind, RULE_FORMS[kind].schema.optional()])) as {
    [K in RuleKind]: z.ZodOptional<z.ZodType<Rule>>;
  },
)
  .refine(...exactlyOneOf(...RULE_KINDS))
  // The refinement has made sure that there is one.
  .transform((live): Rule => Object.values(live).find((rule) => rule !== undefined)!);

const qualifySchema = mapping({
  live: liveSchema.describe('What users do, or do not do, from the publication on.').optional(),
}).refine(({ live }) => live !== undefined, { message: 'must be a mapping with live' });

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
    if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
    return typeof value === 'string' && value.length <= KEY_VALUE_CHARS_MAX ? value : undefined;
  },
  json: { type: ['string', 'number', 'boolean'] },
};

const templates = z
  .record(z.string(), templateOf(literalLeaf))
  .refine((value) => Object.keys(value).length <= KEY_VALUES_MAX, {
    message: `must be a mapping of at most ${KEY_VALUES_MAX} values`,
  })
  .prefault({});

const bodyLeaf: Leaf<string> = {
  wanted: `a text of at most ${TEMPLATE_CHARS_MAX} characters`,
  read: (value) =>
    typeof value === 'string' && value.length <= TEMPLATE_CHARS_MAX ? value : undefined,
  json: { type: 'string' },
};

const contentSchema = mapping({
  mode: schemaOf(choice('variables', 'custom'))
    .prefault('variables')
    .describe('How the body is made: of key values and chosen fields, or of a template of it all.'),
  type: schemaOf(choice('json', 'text'))
    .prefault('json')
    .describe('What the body is; text in mode custom only.'),
  body: schemaOf(bodyLeaf)
    .describe('In mode custom: the body, as a Liquid template. Values in JSON are escaped.')
    .optional(),
  payload: schemaOf(choice('v1', 'v2'))
    .prefault('v1')
    .describe('Key names of a user in the body: Email, Identity … or the newer email, identity ….'),
  fields: z
    .array(schemaOf(choice(...PAYLOAD_FIELDS)))
    .prefault([...PAYLOAD_FIELDS])
    .describe('What of each user goes into the body; left out for a user who has none.'),
  keyValues: templates.describe('Values or templates that go into the body as key_values.'),
  query: templates.describe("Query parameters added to the webhook's URL; may be templates."),
  headers: headers.describe(
    'Headers of the requests, beside those of the webhook; may be templates.',
  ),
  onMissing: schemaOf(choice('blank', 'fail'))
    .prefault('blank')
    .describe('What a template does with a value that a user does not have.'),
}).superRefine((content, context) => checkBody(content, context));

/** Live campaigns have no size that could be compared with it (E34). */
const noSafetyLeaf: Leaf<never> = {
  wanted: 'left out of a live campaign, whose audience cannot be counted before it runs',
  read: () => undefined,
  json: {},
};

const labelLeaf = text(`a text of 1 to ${NAME_CHARS_MAX} characters`, {
  charsMax: NAME_CHARS_MAX,
});

export const campaignSchema = mapping({
  id: schemaOf(idLeaf).describe('What reports and commands call it; never given to another.'),
  name: schemaOf(labelLeaf).describe('What people call it. Default: the id.').optional(),
  targetId: schemaOf(integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))
    .describe('Number sent as targetId in the body. Default: derived from the id.')
    .optional(),
  labels: listOf(
    schemaOf(labelLeaf),
    { min: 0, max: LABELS_MAX },
    `a list of at most ${LABELS_MAX} labels`,
  )
    .prefault([])
    .describe('For people who look for campaigns; they change nothing.'),
  webhook: schemaOf(idLeaf).describe('Id of the webhook that is called.'),
  state: schemaOf(choice('draft', 'running'))
    .prefault('running')
    .describe('A draft neither qualifies users nor sends anything.'),
  qualify: qualifySchema.describe('Who qualifies, and when.'),
  who: whoSchema.describe('Users the campaign is for. Absent: everyone.').optional(),
  ...gateShape,
  safety: schemaOf(noSafetyLeaf)
    .describe('For past campaigns: one with a larger audience does not run.')
    .optional(),
  goal: goalSchema
    .describe('The event that counts as a conversion, measured for control groups too.')
    .optional(),
  onOpenWindows: schemaOf(choice('keep', 'drop'))
    .prefault('keep')
    .describe('What an edit of the rule does to open windows: they run out, or are closed.'),
  ttl: schemaOf(duration(limits.ttlMs))
    .prefault(formatDuration(limits.ttlMs.default))
    .describe('How long a delivery may be tried, from the time at which it is due.'),
  content: contentSchema.prefault({}).describe('What is sent.'),
});

type CampaignInput = z.output<typeof campaignSchema>;

/** A positive 31-bit number, the same for the same id on every machine. */
export function derivedTargetId(campaignId: string): number {
  const hash = mix32(fnv1a32(new TextEncoder().encode(campaignId)));
  return (hash % TARGET_ID_DERIVED_MAX) + 1;
}

/** The campaign as the engine knows it. */
export function campaignOf(input: CampaignInput): Campaign {
  const { id, who, goal, content } = input;
  const fields = new Set<PayloadField>(content.fields);
  return {
    id,
    name: input.name ?? id,
    targetId: input.targetId ?? derivedTargetId(id),
    labels: [...new Set(input.labels)],
    webhook: input.webhook,
    state: input.state,
    // The schema has made sure that it is there.
    rule: input.qualify.live!,
    ...present({ who, goal }),
    ...gateFieldsOf(input),
    onOpenWindows: input.onOpenWindows,
    ttlMs: input.ttl,
    content: {
      mode: content.mode,
      type: content.type,
      fields: PAYLOAD_FIELDS.filter((field) => fields.has(field)),
      keyValues: content.keyValues,
      query: content.query,
      ...(content.payload === 'v2' ? { payload: content.payload } : {}),
      ...(content.onMissing === 'fail' ? { onMissing: content.onMissing } : {}),
      ...(Object.keys(content.headers).length > 0 ? { headers: content.headers } : {}),
      ...present({ body: content.body }),
    },
  };
}
