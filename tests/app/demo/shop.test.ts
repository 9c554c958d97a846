import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Arrivals } from '../../../app/demo/arrivals.ts';
import { DemoRandom } from '../../../app/demo/demo-random.ts';
import { type SessionStep, shopSession } from '../../../app/demo/shop-sessions.ts';
import { SHOPPERS_MAX, shopperOf } from '../../../app/demo/shoppers.ts';
import { loadDefinitions } from '../../../config/definitions/definitions.ts';

const SESSIONS = 2_000;
const PATH = fileURLToPath(new URL('../../../app/demo/demo.yaml', import.meta.url));
const { campaigns } = loadDefinitions([PATH], {
  DEMO_RECEIVER_URL: 'http://127.0.0.1:9000',
  DEMO_SECRET: `whsec_${Buffer.alloc(24).toString('base64')}`,
});
const inaction = campaigns.flatMap(({ rule }) => (rule.kind === 'inaction' ? [rule] : []))[0]!;
const action = campaigns.find(({ rule }) => rule.kind === 'action')!;
const cartCampaign = campaigns.find(({ rule }) => rule === inaction)!;

function sessions(seed: number): SessionStep[][] {
  const random = new DemoRandom(seed);
  const shopper = shopperOf(0, random);
  return Array.from({ length: SESSIONS }, (_, number) => shopSession(shopper, number, random));
}

function namesOf(session: readonly SessionStep[]): (string | undefined)[] {
  return session.map(({ event }) => event.event);
}

describe('the shop', () => {
  test('sessions: equal seeds visit alike, others do not', () => {
    expect(sessions(7)).toEqual(sessions(7));
    expect(sessions(7)).not.toEqual(sessions(8));
  });

  test('sessions: who buys is in time, so only who does not is messaged', () => {
    const bought = sessions(1).filter((session) => namesOf(session).includes('Order Completed'));
    expect(bought.length).toBeGreaterThan(0);
    for (const session of bought) {
      const added = session.filter(({ event }) => event.event === 'Added To Cart');
      const order = session.at(-1)!;
      expect(order.event.event).toBe('Order Completed');
      for (const { event } of added) {
        expect(event.properties!.cart_id).toBe(order.event.properties!.cart_id);
      }
      expect(order.afterMs - added.at(-1)!.afterMs).toBeLessThan(inaction.withinMs);
      expect(order.event.properties!.total).toBe(added.at(-1)!.event.properties!.cart_total);
    }
  });

  test('sessions: some buy, some leave a cart behind, most of the rest only look', () => {
    const all = sessions(3).map(namesOf);
    const withCart = all.filter((names) => names.includes('Added To Cart'));
    const left = withCart.filter(
      (names) => !names.includes('Order Completed') && !names.includes('Cart Emptied'),
    );
    expect(withCart.length / SESSIONS).toBeCloseTo(0.6, 1);
    expect(left.length / withCart.length).toBeCloseTo(0.4, 1);
  });

  test('shoppers: each has an id of its own', () => {
    const random = new DemoRandom(1);
    const ids = Array.from({ length: SHOPPERS_MAX }, (_, n) => shopperOf(n, random).userId);
    expect(new Set(ids).size).toBe(SHOPPERS_MAX);
  });
});

describe('arrivals', () => {
  const body = (targetId: number, Event_properties: object) =>
    JSON.stringify({ targetId, profiles: [{ Identity: 'ada', Event_properties }] });

  test('arrivals: an inaction counts from the deadline of the newest event of its cart', () => {
    const arrivals = new Arrivals(campaigns);
    const properties = { cart_id: 'cart-1', product: 'Tent', price: 289 };
    arrivals.noteEvent({ type: 'track', event: 'Added To Cart', properties }, 1_000);
    arrivals.noteEvent({ type: 'track', event: 'Added To Cart', properties }, 5_000);
    const [arrival] = arrivals.take(
      body(cartCampaign.targetId, properties),
      5_000 + inaction.withinMs + 12,
    );
    expect(arrival).toMatchObject({
      campaign: cartCampaign.id,
      user: 'ada',
      what: 'Tent, $289.00',
      latencyMs: 12,
      isAfterDeadline: true,
    });
    expect(arrivals.counts.get(cartCampaign.id)).toBe(1);
  });

  test('arrivals: an action counts from its event; of events of others nothing is known', () => {
    const arrivals = new Arrivals(campaigns);
    const properties = { order_id: 'order-1', items: 1, total: 250 };
    arrivals.noteEvent({ type: 'track', event: 'Order Completed', properties }, 1_000);
    const take = (orderId: string) =>
      arrivals.take(body(action.targetId, { ...properties, order_id: orderId }), 1_007)[0];
    expect(take('order-1')).toMatchObject({ what: '1 item, $250.00', latencyMs: 7 });
    expect(take('another')).toMatchObject({ latencyMs: undefined });
  });

  test('arrivals: a request that is none of ours is left alone', () => {
    const arrivals = new Arrivals(campaigns);
    for (const text of ['', 'x', 'null', '[]', '{"targetId":1}', body(9_999, {})]) {
      expect(arrivals.take(text, 0)).toEqual([]);
    }
    expect(arrivals.count).toBe(0);
  });
});
