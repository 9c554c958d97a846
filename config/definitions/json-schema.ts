/** The JSON Schema of a definitions file, for editors that complete and check as one types. */
import * as z from 'zod';
import { BUCKET_OPERATORS } from '../../operators/filters/bucket.ts';
import { OPERATOR_NAMES } from '../../operators/filters/operators.ts';
import { FILTER_SCHEMA_REF } from '../../operators/schema/event-match.ts';
import { fileSchema } from './file-schema.ts';

const SCALAR = { type: ['string', 'number', 'boolean'] };
const LIST = { type: 'array', items: SCALAR, minItems: 1 };
const NUMBER = { type: ['number', 'string'] };
const DURATION = { type: 'string', examples: ['90m', '2d'] };

const VALUES: Readonly<Record<string, object>> = {
  in: LIST,
  notIn: LIST,
  containsAll: LIST,
  gt: NUMBER,
  gte: NUMBER,
  lt: NUMBER,
  lte: NUMBER,
  between: { type: 'array', items: NUMBER, minItems: 2, maxItems: 2 },
  startsWith: { type: 'string', minLength: 1 },
  endsWith: { type: 'string', minLength: 1 },
  matches: { type: 'string', minLength: 1 },
  exists: { type: 'boolean' },
  inLast: DURATION,
  inNext: DURATION,
  exactlyAgo: { type: 'string', examples: ['3d'] },
  isTrue: { const: true },
  isFalse: { const: true },
};

function operatorsSchema(): object {
  const properties = Object.fromEntries(OPERATOR_NAMES.map((op) => [op, VALUES[op] ?? SCALAR]));
  return {
    type: 'object',
    properties: { ...properties, i: { type: 'boolean' } },
    additionalProperties: false,
    minProperties: 1,
  };
}

function whereSchema(): object {
  const filter = { $ref: FILTER_SCHEMA_REF };
  const filters = { type: 'array', items: filter, minItems: 1 };
  const bucket = Object.fromEntries(BUCKET_OPERATORS.map((op) => [op, {}]));
  const condition = { anyOf: [SCALAR, operatorsSchema()] };
  return {
    type: 'object',
    description: 'Conditions on properties; side by side they must all hold.',
    anyOf: [
      {
        properties: {
          property: { type: 'string' },
          op: { enum: OPERATOR_NAMES },
          value: {},
          i: { type: 'boolean' },
        },
        required: ['property', 'op'],
        additionalProperties: false,
      },
      {
        properties: {
          all: filters,
          any: filters,
          not: filter,
          bucket: {
            anyOf: [
              { type: 'integer' },
              { type: 'object', properties: bucket, additionalProperties: false },
            ],
          },
        },
        additionalProperties: condition,
      },
    ],
  };
}

/** JSON Schema 2020-12 of what may be written in a file. */
export function definitionsJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, $defs, ...schema } = z.toJSONSchema(fileSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // Of a leaf that reads its value zod leaves both out, as if they were values already read.
      const { default: byDefault, examples } = z.globalRegistry.get(zodSchema) ?? {};
      if (byDefault !== undefined) jsonSchema.default ??= byDefault;
      if (Array.isArray(examples)) jsonSchema.examples ??= examples;
    },
  });
  return {
    $schema,
    title: 'Lapse definitions',
    ...schema,
    $defs: { ...$defs, where: whereSchema() },
  };
}
