/** Campaigns over the events of `event-feed.ts`, with windows of seconds. */
import { writeFile } from 'node:fs/promises';

type Options = Readonly<Record<string, unknown>>;

function inaction(id: string, webhook: string, options: Options) {
  return {
    id,
    webhook,
    qualify: {
      live: {
        inaction: { did: { event: 'Added To Cart' }, without: { event: 'Charged' }, ...options },
      },
    },
    content: { fields: ['email', 'identity', 'objectId', 'profileData', 'eventProperties'] },
  };
}

/** Every kind and option of a rule, over two webhooks: one that batches and one that does not. */
export const EVERY_RULE = [
  {
    id: 'large',
    webhook: 'batched',
    qualify: { live: { action: { event: 'Added To Cart', where: { price: { gte: 70 } } } } },
  },
  {
    id: 'searched',
    webhook: 'single',
    qualify: { live: { action: { event: 'searched', where: { any: [{ price: { lt: 20 } }] } } } },
  },
  inaction('restart', 'batched', { within: '2s', maxExtend: '3s' }),
  inaction('first', 'batched', { within: '1s', onRepeat: 'keepFirst' }),
  inaction('each', 'single', { within: '2s', onRepeat: 'parallel', match: 'cart' }),
  inaction('tied', 'single', {
    within: '3s',
    match: { did: 'cart', without: 'cart' },
    without: [{ event: 'Charged' }, { event: 'Cart Emptied', where: { price: { gte: 30 } } }],
  }),
  inaction('patient', 'batched', { within: '1s', grace: '1s', did: { event: 'Viewed' } }),
  inaction('itself', 'single', { within: '1s', without: { event: 'Added To Cart' } }),
];

/** Writes a definitions file. */
export async function writeConfig(
  path: string,
  options: {
    readonly urlOf: (webhook: string) => string;
    readonly campaigns: readonly object[];
    /** More of both webhooks. */
    readonly webhook?: Options;
    readonly engine?: Options;
  },
): Promise<string> {
  const { urlOf, campaigns, webhook = {}, engine = {} } = options;
  const config = {
    webhooks: [
      { id: 'batched', url: urlOf('batched'), batch: { max: 20, linger: '20ms' }, ...webhook },
      { id: 'single', url: urlOf('single'), batch: { max: 1, linger: '0ms' }, ...webhook },
    ],
    campaigns,
    engine: { partitions: 4, workers: 1, ...engine },
  };
  await writeFile(path, JSON.stringify(config));
  return path;
}
