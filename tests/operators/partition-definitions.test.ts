import { expect, test } from 'vitest';
import {
  type PartitionDefinitions,
  partitionDefinitions,
} from '../../operators/partition-definitions.ts';
import { CampaignBook } from '../../operators/router/campaign-book.ts';
import { campaignOf, definitionsOf, hook, inactionOf } from '../support/partition-harness.ts';

const SECRETS = [
  'hook-secret',
  'hook-token',
  'hook-header',
  'hook-address',
  'key-value',
  'query-value',
];

/** Definitions with a secret in every place that only a request needs. */
function secretive() {
  const campaign = campaignOf('c', inactionOf());
  const [secret, token, header, address, keyValue, query] = SECRETS as [string, ...string[]];
  return {
    ...definitionsOf([
      {
        ...campaign,
        content: { ...campaign.content, keyValues: { k: keyValue! }, query: { q: query! } },
      },
    ]),
    webhooks: [
      {
        ...hook,
        url: `http://127.0.0.1:9/${address}`,
        secret,
        headers: { 'X-Key': header! },
        auth: { kind: 'bearer' as const, token: token! },
      },
    ],
  };
}

function secretsIn(value: unknown): string[] {
  const text = JSON.stringify(value);
  return SECRETS.filter((secret) => text.includes(secret));
}

test('partition definitions: name the webhook and hold nothing that only a request needs', () => {
  const definitions = secretive();
  expect(secretsIn(definitions)).toEqual(SECRETS);
  const known = partitionDefinitions(definitions);
  expect(secretsIn(known)).toEqual([]);
  const [campaign] = definitions.campaigns;
  const { mode, type, fields } = campaign!.content;
  expect(known.campaigns).toEqual([{ ...campaign, content: { mode, type, fields } }]);
});

test('partition definitions: a checkpoint of a version that kept secrets loses them', () => {
  const book = new CampaignBook();
  const definitions = secretive() as PartitionDefinitions;
  book.restore({ definitions, rules: [], campaigns: [] });
  expect(secretsIn(book.freeze())).toEqual([]);
});

test('partition definitions: secrets in a control record stay out of the checkpoint', () => {
  const book = new CampaignBook();
  book.apply(secretive(), 0);
  expect(secretsIn(book.freeze())).toEqual([]);
});
