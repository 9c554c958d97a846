/** Reads the webhooks that arrive at the demo's receiver, and says how long each took. */
import type { Campaign } from '../../operators/definitions.ts';
import type { ShopEvent } from './shop-sessions.ts';

export interface Arrival {
  readonly atMs: number;
  readonly campaign: string;
  readonly user: string;
  /** What it is about, a few words. */
  readonly what: string;
  /**
   * From the deadline (inaction) or the sending of the event (action) to here, by this machine's
   * clock. Undefined when the event was not the demo's own.
   */
  readonly latencyMs: number | undefined;
  readonly isAfterDeadline: boolean;
}

/** Carts and orders whose instants are kept; the oldest are forgotten. */
const INSTANTS_MAX = 10_000;

interface Profile {
  readonly Identity?: unknown;
  readonly Event_properties?: Readonly<Record<string, unknown>>;
}

export class Arrivals {
  readonly #campaigns: ReadonlyMap<number, Campaign>;
  /** When the last event about a cart or an order was sent, by its id. */
  readonly #instants = new Map<string, number>();
  /** Arrivals by campaign id. */
  readonly counts = new Map<string, number>();
  count = 0;

  constructor(campaigns: readonly Campaign[]) {
    this.#campaigns = new Map(campaigns.map((campaign) => [campaign.targetId, campaign]));
    for (const { id } of campaigns) this.counts.set(id, 0);
  }

  /** Remembers when an event went out that a webhook may answer. */
  noteEvent({ event, properties }: ShopEvent, atMs: number): void {
    if (event === 'Added To Cart') this.#note(properties?.cart_id, atMs);
    else if (event === 'Order Completed') this.#note(properties?.order_id, atMs);
  }

  /** @returns an arrival for each user in the request's body; none when it is not one of ours */
  take(body: string, atMs: number): Arrival[] {
    const { targetId, profiles } = parse(body);
    const campaign = this.#campaigns.get(targetId as number);
    if (campaign === undefined || !Array.isArray(profiles)) return [];
    this.count += profiles.length;
    this.counts.set(campaign.id, this.counts.get(campaign.id)! + profiles.length);
    return profiles.map((profile: Profile) => this.#arrivalOf(campaign, profile, atMs));
  }

  #arrivalOf({ id, rule }: Campaign, profile: Profile, atMs: number): Arrival {
    const properties = profile.Event_properties ?? {};
    const isAfterDeadline = rule.kind === 'inaction';
    const cause = isAfterDeadline ? properties.cart_id : properties.order_id;
    const sentAtMs = this.#instants.get(String(cause));
    const waitMs = rule.kind === 'inaction' ? rule.withinMs + rule.graceMs : 0;
    return {
      atMs,
      campaign: id,
      user: String(profile.Identity ?? 'anonymous'),
      what: wordsOf(properties),
      latencyMs: sentAtMs === undefined ? undefined : Math.max(0, atMs - sentAtMs - waitMs),
      isAfterDeadline,
    };
  }

  #note(id: unknown, atMs: number): void {
    if (typeof id !== 'string') return;
    // Deleted first, so that the oldest stays first in the map's order.
    this.#instants.delete(id);
    this.#instants.set(id, atMs);
    if (this.#instants.size <= INSTANTS_MAX) return;
    for (const oldest of this.#instants.keys()) {
      this.#instants.delete(oldest);
      return;
    }
  }
}

function parse(body: string): { readonly targetId?: unknown; readonly profiles?: unknown } {
  try {
    return (JSON.parse(body) as object | null) ?? {};
  } catch {
    return {};
  }
}

function wordsOf(properties: Readonly<Record<string, unknown>>): string {
  const { product, items, total, cart_total: cartTotal } = properties;
  const sum = total ?? cartTotal ?? properties.price;
  const money = typeof sum === 'number' ? `$${sum.toFixed(2)}` : '';
  const name = typeof product === 'string' ? product : '';
  const count = typeof items === 'number' ? `${items} item${items === 1 ? '' : 's'}` : '';
  return [name || count, money].filter((part) => part !== '').join(', ');
}
