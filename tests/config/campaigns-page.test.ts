/** What docs/CAMPAIGNS.md shows can be copied: each YAML block is valid, by itself or as a part. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { RULE_FORMS } from '../../operators/rules/schemas.ts';
import { campaignFile, messages } from './definitions/campaign-file.ts';

const page = readFileSync(new URL('../../docs/CAMPAIGNS.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);

const WHOLE = ['webhooks', 'campaigns', 'segments', 'settings'];
/** What parts refer to. */
const REST = {
  settings: { controlGroups: { custom: { holdout: 5 } } },
  segments: ['europe', 'staff'].map((id) => ({ id, audience: {} })),
};

/** The block as a file: a part is put into a campaign. */
function fileOf(text: string): unknown {
  const block = parse(text) as Record<string, unknown>;
  const isWhole = Object.keys(block).some((key) => WHOLE.includes(key));
  return isWhole ? block : campaignFile(block, REST);
}

test.each(blocks)('is valid: %s', (text) => {
  expect(messages(fileOf(text))).toEqual([]);
});

test('a part with a key that is none is refused', () => {
  expect(messages(fileOf('delays: 10m'))).toHaveLength(1);
});

test('every kind of rule is shown', () => {
  const shown = blocks.flatMap((text) => {
    const { qualify } = parse(text) as { qualify?: { live: object } };
    return Object.keys(qualify?.live ?? {});
  });
  expect(new Set(shown)).toEqual(new Set(Object.keys(RULE_FORMS)));
});
