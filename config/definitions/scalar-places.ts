/** What a definitions file wants at a place, told from the JSON Schema that editors have. */
import { FILTER_SCHEMA_REF } from '../../operators/schema/event-match.ts';
import { definitionsJsonSchema } from './json-schema.ts';

/**
 * `text`: a number is the text as it is written. `either`: both are values that can be meant.
 * `value`: a number is a number.
 */
export type Wanted = 'text' | 'either' | 'value';

type Schema = Readonly<Record<string, unknown>>;

interface Place {
  readonly schemas: readonly Schema[];
  readonly isInFilter: boolean;
}

const REF_START = '#/$defs/';
let wholeFile: Schema | undefined;

/** @param steps keys and indexes from the top of the file */
export function wantedAt(steps: readonly (string | number)[]): Wanted {
  wholeFile ??= definitionsJsonSchema();
  const defs = wholeFile.$defs as Readonly<Record<string, Schema>>;
  let place = expanded([wholeFile], false, defs);
  for (const step of steps) {
    const below = place.schemas.flatMap((schema) => schemasBelow(schema, step));
    place = expanded(below, place.isInFilter, defs);
  }
  const types = new Set(place.schemas.flatMap(typesOf));
  if (!types.has('string')) return 'value';
  if (types.size === 1) return 'text';
  // A scalar of any type is a value to compare with, or else a text that is sent.
  if (!types.has('number') || !types.has('boolean')) return 'value';
  return place.isInFilter ? 'either' : 'text';
}

/** The alternatives of schemas, references followed. */
function expanded(
  schemas: readonly unknown[],
  isInFilter: boolean,
  defs: Readonly<Record<string, Schema>>,
): Place {
  let hasFilter = isInFilter;
  const found: Schema[] = [];
  const visit = (one: unknown) => {
    if (typeof one !== 'object' || one === null) return;
    const { $ref, anyOf, oneOf, allOf } = one as Schema;
    if (typeof $ref === 'string') {
      hasFilter ||= $ref === FILTER_SCHEMA_REF;
      visit(defs[$ref.slice(REF_START.length)]);
    }
    const alternatives = [anyOf, oneOf, allOf].filter((list) => list !== undefined).flat();
    for (const alternative of alternatives) visit(alternative);
    found.push(one as Schema);
  };
  for (const schema of schemas) visit(schema);
  return { schemas: found, isInFilter: hasFilter };
}

function schemasBelow(schema: Schema, step: string | number): unknown[] {
  const { properties, additionalProperties, items } = schema;
  if (typeof step === 'number') return [items];
  const known = properties as Schema | undefined;
  return [known !== undefined && Object.hasOwn(known, step) ? known[step] : additionalProperties];
}

/** Types of scalars; those of lists and mappings are none of a number's business. */
function typesOf({ type, const: only, enum: words }: Schema): string[] {
  const types = [type].flat().filter((one) => one !== 'object' && one !== 'array');
  const values = [only, words].flat().filter((one) => one !== undefined);
  const named = [...types, ...values.map((value) => typeof value)].map(String);
  return named
    .filter((one) => one !== 'undefined')
    .map((one) => (one === 'integer' ? 'number' : one));
}
