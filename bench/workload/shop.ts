/**
 * A shop's events, seeded: mostly looking around that no campaign asks about, some carts, fewer
 * checkouts, some orders. Users come by a power law, in sessions of some fifteen events that share
 * a cart, so that windows are restarted and cancelled as they are in a shop.
 */

import { type IncomingEvent, RecordKind } from '../../engine/envelope/records.ts';
import { mix32 } from '../../engine/state/hash.ts';
import { Prng } from '../../tests/support/prng.ts';

export interface ShopOptions {
  readonly seed: number;
  readonly users: number;
  readonly events: number;
  /** Time of receipt of the first event, Unix ms. */
  readonly fromMs: number;
  /** Log time over which the events are spread evenly. */
  readonly durationMs: number;
}

/** Shares in thousandths, as they add up. */
const MIX: readonly (readonly [name: string, upTo: number])[] = [
  ['Product Viewed', 550],
  ['Products Searched', 700],
  ['Added To Cart', 820],
  ['Checkout Started', 870],
  ['Order Completed', 910],
  ['Category Viewed', 960],
  ['App Opened', 1000],
];
/** Density of users falls with rank^-0.6: the busiest of a million makes 0.4 % of the events. */
const RANK_EXPONENT = 2.5;
/** So many users have a session at a time; with 1,400 events/s each does something every 14 s. */
const USERS_PER_SESSION = 50;
const SESSION_EVENTS = 15;
const REPEATED_SHARE = 0.001;
/** Events are received so long after they happened, at most. */
const TRANSIT_MS = 1_500;
const CURRENCIES = ['USD', 'EUR', 'INR'];

/** Fills one and the same event again and again. */
export class ShopWorkload {
  readonly event: IncomingEvent = {
    kind: RecordKind.track,
    userId: '',
    isAnonymous: false,
    name: '',
    eventAtMs: 0,
    flags: 0,
    messageId: '',
    properties: {},
  };
  receivedAtMs = 0;
  readonly #options: ShopOptions;
  readonly #prng: Prng;
  /** Ranks of the users with a session, and the numbers of their carts. */
  readonly #sessions: Int32Array;
  readonly #carts: Int32Array;
  #cartCount = 0;
  #done = 0;

  constructor(options: ShopOptions) {
    this.#options = options;
    this.#prng = new Prng(options.seed);
    const sessions = Math.max(1, Math.floor(options.users / USERS_PER_SESSION));
    this.#sessions = new Int32Array(sessions);
    this.#carts = new Int32Array(sessions);
    for (let at = 0; at < sessions; at++) this.#startSession(at);
  }

  /** @returns false when all events have been */
  next(): boolean {
    const { events, fromMs, durationMs } = this.#options;
    const i = this.#done;
    if (i === events) return false;
    this.#done++;
    this.receivedAtMs = fromMs + Math.floor((i * durationMs) / events);
    // A client that got no answer sends the same event once more.
    if (i > 0 && this.#prng.chance(REPEATED_SHARE)) return true;
    this.#fill(i);
    return true;
  }

  #fill(i: number): void {
    const { event } = this;
    const prng = this.#prng;
    const share = prng.below(1000);
    const name = MIX.find(([, upTo]) => share < upTo)![0];
    const at = prng.below(this.#sessions.length);
    event.name = name;
    event.userId = userIdOf(this.#sessions[at]!);
    event.eventAtMs = this.receivedAtMs - prng.below(TRANSIT_MS);
    event.messageId = `m-${mix32(i)}-${i}`;
    event.properties = propertiesOf(name, prng, `cart-${this.#carts[at]}`);
    if (prng.below(SESSION_EVENTS) === 0) this.#startSession(at);
  }

  #startSession(at: number): void {
    const rank = Math.floor(this.#options.users * this.#prng.next() ** RANK_EXPONENT);
    this.#sessions[at] = rank;
    this.#carts[at] = this.#cartCount++;
  }
}

/** `mix32` is a bijection: no two ranks share an id, and neighbours do not share a partition. */
export function userIdOf(rank: number): string {
  return `usr_${mix32(rank + 1)
    .toString(16)
    .padStart(8, '0')}`;
}

function propertiesOf(name: string, prng: Prng, cart: string): Record<string, unknown> {
  switch (name) {
    case 'Product Viewed':
      return { sku: skuOf(prng), price: priceOf(prng), category: `cat-${prng.below(40)}` };
    case 'Products Searched':
      return { query: `query ${prng.below(10_000)}`, results: prng.below(200) };
    case 'Added To Cart':
      return {
        cart_id: cart,
        sku: skuOf(prng),
        price: priceOf(prng),
        quantity: 1 + prng.below(4),
      };
    case 'Checkout Started':
      return { cart_id: cart, value: priceOf(prng) * 2, items: 1 + prng.below(6) };
    case 'Order Completed':
      return {
        cart_id: cart,
        order_id: `o-${prng.below(1e9)}`,
        total: priceOf(prng) * 2,
        currency: prng.pick(CURRENCIES),
        coupon: prng.chance(0.1) ? 'SPRING' : null,
      };
    default:
      return { path: `/c/${prng.below(500)}` };
  }
}

function skuOf(prng: Prng): string {
  return `sku-${prng.below(50_000)}`;
}

/** 1 to 1,000, more often low. */
function priceOf(prng: Prng): number {
  return Math.round(100 * (1 + 999 * prng.next() ** 3)) / 100;
}
