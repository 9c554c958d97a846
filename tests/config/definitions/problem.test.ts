import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadDefinitions } from '../../../config/definitions/definitions.ts';
import { type DefinitionsError, partsOf } from '../../../config/definitions/problem.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-problem-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function partsIn(text: string) {
  const file = join(folder, 'shop.yaml');
  writeFileSync(file, text);
  try {
    loadDefinitions([file], {});
  } catch (error) {
    return (error as DefinitionsError).problems.map((one) => ({ ...partsOf(one), file: 'F' }));
  }
  return [];
}

/** The lines of a text that carry a mark, from 1. */
function marked(text: string): number[] {
  return text.split('\n').flatMap((line, i) => (line.includes('# wrong') ? [i + 1] : []));
}

const SHOP = `webhooks:
  - id: crm
    url: ftp://crm.example.com # wrong
campaigns:
  - id: c
    webhook: crm
    qualify:
      live:
        inaction:
          did:
            event: Added To Cart
            where:
              price:
                gte: dear # wrong
                lt: 50
              "odd key":
                lessThan: 3 # wrong
          without: {event: Charged, where: {n: {near: 1}}} # wrong
          within: soon # wrong
  - webhook: crm # wrong
    ttl: 1h
`;

describe('partsOf', () => {
  test('each problem has the line on which it is, also within a where and a short form', () => {
    const parts = partsIn(SHOP);
    const missing = parts.filter(({ path }) => path.startsWith('campaigns[1]'));
    const lines = parts.filter((one) => !missing.includes(one)).map(({ line }) => line);
    // A key that is missing has the line of what it is missing in.
    const [first, ...others] = marked(SHOP).reverse();
    expect(missing.map(({ path, line }) => [path, line])).toEqual([
      ['campaigns[1].id', first],
      ['campaigns[1].qualify', first],
    ]);
    expect(lines.sort((a, b) => a! - b!)).toEqual(others.reverse());
  });

  test('the sentence is taken apart, so that nobody has to', () => {
    const [problem] = partsIn('webhooks: [{id: crm, url: soon}]');
    expect(problem).toEqual({
      file: 'F',
      line: 1,
      path: 'webhooks[0].url',
      must: 'be an http or https URL without user name, password and fragment',
      got: '"soon"',
      code: 'ERR_DEFINITIONS',
      message:
        'webhooks[0].url must be an http or https URL without user name, password and fragment, got "soon"',
    });
  });

  test('a path and a value that hold the words of the sentence stay whole', () => {
    const [problem] = partsIn('"x must be a, got b": 1');
    expect(problem).toMatchObject({ path: '["x must be a, got b"]', got: '"x must be a, got b"' });
  });

  test('a text that is no YAML has the line of its error', () => {
    const [problem] = partsIn('webhooks:\n  - id: crm\n  url: [\n');
    expect(problem).toMatchObject({ line: 3, path: '', code: 'ERR_DEFINITIONS_SYNTAX' });
  });

  test('a file that is not there has no line', () => {
    try {
      loadDefinitions([join(folder, 'none.yaml')], {});
    } catch (error) {
      expect(partsOf((error as DefinitionsError).problems[0]!).line).toBeNull();
    }
    expect.assertions(1);
  });
});
