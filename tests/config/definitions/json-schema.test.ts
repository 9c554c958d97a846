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

describe('lapse.schema.json', () => {
  test('is up to date: otherwise build, then run scripts/write-schema.mjs', () => {
    const text = readFileSync(join(config, 'lapse.schema.json'), 'utf8');
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(definitionsJsonSchema())));
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
