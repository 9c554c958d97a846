// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so do files name variables.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { definitionsJsonSchema } from '../../../config/definitions/json-schema.ts';
import { changed, validDefinitions } from './valid.ts';

const config = join(import.meta.dirname, '../../../config');
const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(
  definitionsJsonSchema(),
);

interface Key {
  readonly path: string;
  readonly schema: object;
}

/** Every key that the schema names, but for those of a `where`, which are properties and operators. */
function keys(): Key[] {
  const found: Key[] = [];
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null || path === '.$defs.where') return;
    for (const [key, child] of Object.entries(node)) {
      const isNames = key === 'properties' && !path.endsWith('.properties');
      if (isNames) {
        for (const [name, schema] of Object.entries(child as Record<string, object>)) {
          found.push({ path: `${path}.${name}`, schema });
        }
      }
      visit(child, `${path}.${key}`);
    }
  };
  visit(definitionsJsonSchema(), '');
  return found;
}

describe('lapse.schema.json', () => {
  test('is up to date: otherwise build, then run scripts/write-schema.mjs', () => {
    const text = readFileSync(join(config, 'lapse.schema.json'), 'utf8');
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(definitionsJsonSchema())));
  });

  test('says of every key what it is for', () => {
    const silent = keys().flatMap(({ path, schema }) => ('description' in schema ? [] : [path]));
    expect(silent).toEqual([]);
  });

  test('a default is a value that may be written', () => {
    const { $defs } = definitionsJsonSchema();
    const withDefaults = keys().filter(({ schema }) => 'default' in schema);
    expect(withDefaults.length).toBeGreaterThan(20);
    for (const { path, schema } of withDefaults) {
      const check = new Ajv2020({ strict: false }).compile({ $defs, ...schema });
      expect(check((schema as { default: unknown }).default), path).toBe(true);
    }
  });

  test('accepts what we accept', () => {
    validate(validDefinitions());
    expect(validate.errors).toBeNull();
    const short = changed((d) => {
      d.campaigns[0].qualify.live.inaction.without = { event: 'Charged' };
      d.campaigns[0].qualify.live.inaction.match = 'cart_id';
      d.webhooks[0].maxInFlight = '${N}';
    });
    validate(short);
    expect(validate.errors).toBeNull();
  });

  test('refuses unknown keys, wrong words and misspelt operators', () => {
    expect(
      validate(
        changed((d) => {
          d.campaigns[0].quietHour = 1;
        }),
      ),
    ).toBe(false);
    expect(
      validate(
        changed((d) => {
          d.campaigns[0].state = 'paused';
        }),
      ),
    ).toBe(false);
    expect(
      validate(
        changed((d) => {
          d.campaigns[0].qualify.live.inaction.did.where = { a: { gtt: 1 } };
        }),
      ),
    ).toBe(false);
  });

  test.each(readdirSync(join(config, 'examples')))(
    'accepts the sample %s, which names it',
    (name) => {
      const text = readFileSync(join(config, 'examples', name), 'utf8');
      expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/lapse\.schema\.json\n/);
      validate(parse(text));
      expect(validate.errors).toBeNull();
    },
  );
});
