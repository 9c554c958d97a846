/**
 * Believable visits to a shop, seeded: people search, look, fill carts; some buy, many do not. A
 * visit of minutes is pressed into seconds, so that what does not happen is noticed soon.
 */
import type { DemoRandom } from './demo-random.ts';
import { CATALOGUE, type Product, SEARCHES } from './shop-catalogue.ts';
import type { Shopper } from './shoppers.ts';

export interface ShopEvent {
  readonly type: 'identify' | 'track';
  readonly event?: string;
  readonly properties?: Readonly<Record<string, string | number>>;
  readonly traits?: Shopper['traits'];
}

export interface SessionStep {
  /** From the start of the session; steps are in order of it. */
  readonly afterMs: number;
  readonly event: ShopEvent;
}

/** What becomes of a visit that fills a cart; most visits fill none. */
type Ending = 'bought' | 'abandoned' | 'emptied';

const CART_SHARE = 0.6;
const ENDINGS: readonly Ending[] = ['bought', 'bought', 'abandoned', 'abandoned', 'emptied'];
/** Between two steps; far below the demo's `within`, so that buyers are in time. */
const [PAUSE_MS_MIN, PAUSE_MS_MAX] = [300, 1_800];
const SEARCH_SHARE = 0.4;
const CENTS = 100;

/** @param number names carts and orders; unique in a run */
export function shopSession(
  shopper: Shopper,
  number: number | string,
  random: DemoRandom,
): SessionStep[] {
  const visit = new Visit(random);
  visit.add({ type: 'identify', traits: shopper.traits });
  if (random.isWithin(SEARCH_SHARE))
    visit.track('Product Searched', { query: random.pick(SEARCHES) });
  const hasCart = random.isWithin(CART_SHARE);
  const cart = new Map<Product, number>();
  const views = random.between(1, 4);
  for (let i = 0; i < views; i++) {
    const product = random.pick(CATALOGUE);
    visit.track('Product Viewed', { ...product, currency: 'USD' });
    if (hasCart && (i === views - 1 || random.isWithin(0.5))) {
      const quantity = random.between(1, 2);
      cart.set(product, (cart.get(product) ?? 0) + quantity);
      const facts = { cart_id: `cart-${number}`, ...product, quantity, currency: 'USD' };
      visit.track('Added To Cart', { ...facts, cart_total: totalOf(cart) });
    }
  }
  if (hasCart) endCart(visit, random.pick(ENDINGS), { number, cart, random });
  return visit.steps;
}

function endCart(
  visit: Visit,
  ending: Ending,
  context: { number: number | string; cart: ReadonlyMap<Product, number>; random: DemoRandom },
): void {
  const { number, cart, random } = context;
  const cartId = { cart_id: `cart-${number}` };
  const sums = { total: totalOf(cart), currency: 'USD' };
  // Some turn back at the till.
  if (ending === 'bought' || (ending === 'abandoned' && random.isWithin(0.4))) {
    visit.track('Checkout Started', { ...cartId, ...sums });
  }
  if (ending === 'emptied') visit.track('Cart Emptied', cartId);
  if (ending !== 'bought') return;
  const items = [...cart.values()].reduce((sum, quantity) => sum + quantity, 0);
  visit.track('Order Completed', { order_id: `order-${number}`, ...cartId, ...sums, items });
}

function totalOf(cart: ReadonlyMap<Product, number>): number {
  const cents = [...cart].reduce((sum, [{ price }, n]) => sum + Math.round(price * CENTS) * n, 0);
  return cents / CENTS;
}

class Visit {
  readonly steps: SessionStep[] = [];
  readonly #random: DemoRandom;
  #afterMs = 0;

  constructor(random: DemoRandom) {
    this.#random = random;
  }

  track(event: string, properties: Readonly<Record<string, string | number>>): void {
    this.add({ type: 'track', event, properties });
  }

  add(event: ShopEvent): void {
    this.steps.push({ afterMs: this.#afterMs, event });
    this.#afterMs += this.#random.between(PAUSE_MS_MIN, PAUSE_MS_MAX);
  }
}
