/** The campaigns of the shop as a definitions file would say them: five of inaction, five of action. */
import { parseDefinitions } from '../../config/definitions/definitions.ts';
import type { Definitions } from '../../operators/definitions.ts';

export const WEBHOOK_ID = 'crm';

export interface ShopWebhook {
  readonly url: string;
  readonly [setting: string]: unknown;
}

const CONTENT = { fields: ['identity', 'eventProperties'], keyValues: { Source: 'bench' } };

const RULES: readonly (readonly [id: string, live: Record<string, unknown>])[] = [
  [
    'cart-5m',
    inaction('Added To Cart', { price: { gte: 100 } }, ['Order Completed'], '5m', {
      match: 'cart_id',
    }),
  ],
  [
    'cart-large-30m',
    inaction('Added To Cart', { price: { gte: 600 } }, ['Order Completed'], '30m', {
      match: 'cart_id',
    }),
  ],
  [
    'cart-first-10m',
    inaction(
      'Added To Cart',
      { price: { gte: 300 }, quantity: { gte: 2 } },
      ['Checkout Started'],
      '10m',
      {
        onRepeat: 'keepFirst',
      },
    ),
  ],
  [
    'checkout-15m',
    inaction('Checkout Started', { value: { gte: 1000 } }, ['Order Completed'], '15m', {}),
  ],
  [
    'cart-many-20m',
    inaction(
      'Added To Cart',
      { price: { gte: 200 }, quantity: { gte: 4 } },
      ['Order Completed'],
      '20m',
      {
        onRepeat: 'parallel',
      },
    ),
  ],
  ['order-large', { action: { event: 'Order Completed', where: { total: { gte: 1500 } } } }],
  ['order-coupon', { action: { event: 'Order Completed', where: { coupon: { exists: true } } } }],
  [
    'order-europe',
    {
      action: {
        event: 'Order Completed',
        where: { currency: { in: ['EUR', 'GBP'] }, total: { gte: 1000 } },
      },
    },
  ],
  ['cart-luxury', { action: { event: 'Added To Cart', where: { price: { gte: 950 } } } }],
  ['checkout-many', { action: { event: 'Checkout Started', where: { items: { gte: 6 } } } }],
];

export const CAMPAIGNS_MAX = RULES.length;
/** Longest `within` of them. */
export const WITHIN_MAX_MS = 30 * 60_000;

/** @param campaigns how many: one of inaction, one of action and so on, in turns */
export function shopDefinitions(campaigns: number, webhook: ShopWebhook): Definitions {
  return parseDefinitions(shopFile(campaigns, webhook));
}

/** The value of a definitions file. */
export function shopFile(campaigns: number, webhook: ShopWebhook): Record<string, unknown> {
  const half = CAMPAIGNS_MAX / 2;
  const inTurns = RULES.map((_, i) => RULES[(i % 2) * half + Math.floor(i / 2)]!);
  return {
    webhooks: [{ id: WEBHOOK_ID, ...webhook }],
    campaigns: inTurns.slice(0, campaigns).map(([id, live]) => ({
      id,
      name: id,
      webhook: WEBHOOK_ID,
      qualify: { live },
      content: CONTENT,
    })),
  };
}

function inaction(
  did: string,
  where: Record<string, unknown> | undefined,
  without: readonly string[],
  within: string,
  more: Record<string, unknown>,
): Record<string, unknown> {
  return {
    inaction: {
      did: { event: did, ...(where === undefined ? {} : { where }) },
      without: without.map((event) => ({ event })),
      within,
      ...more,
    },
  };
}
