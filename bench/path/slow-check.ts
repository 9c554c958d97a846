/**
 * The same campaigns for a few users by the slow, obvious model of the tests: plain objects, every
 * list walked whole, filters written by hand. What it finds and what the engine wrote must agree.
 */
import { createHash } from 'node:crypto';
import { partitionOf } from '../../engine/state/hash.ts';
import type { Definitions } from '../../operators/definitions.ts';
import { InactionModel, type ModelEvent } from '../../tests/support/inaction-model.ts';
import type { ShopWorkload } from '../workload/shop.ts';

type Properties = Readonly<Record<string, unknown>>;

const number = (properties: Properties, name: string) => properties[name] as number;

/** The filters of `workload/campaigns.ts`, by campaign: of its `did` or of its action. */
const FILTERS: Readonly<Record<string, (properties: Properties) => boolean>> = {
  'cart-5m': (properties) => number(properties, 'price') >= 100,
  'cart-large-30m': (properties) => number(properties, 'price') >= 600,
  'cart-first-10m': (properties) =>
    number(properties, 'price') >= 300 && number(properties, 'quantity') >= 2,
  'checkout-15m': (properties) => number(properties, 'value') >= 1000,
  'cart-many-20m': (properties) =>
    number(properties, 'price') >= 200 && number(properties, 'quantity') >= 4,
  'order-large': (properties) => number(properties, 'total') >= 1500,
  'order-coupon': (properties) => properties.coupon !== null,
  'order-europe': (properties) =>
    properties.currency === 'EUR' && number(properties, 'total') >= 1000,
  'cart-luxury': (properties) => number(properties, 'price') >= 950,
  'checkout-many': (properties) => number(properties, 'items') >= 6,
};

/** True for the one user in `every` that is looked at. */
export function isSampled(userId: string, every: number): boolean {
  return partitionOf(userId, every) === 0;
}

/** Sorted qualifications as one hash, so that two ways of finding them can be compared. */
export class QualificationSet {
  readonly #lines: string[] = [];

  add(campaignId: string, userId: string, atMs: number): void {
    this.#lines.push(`${campaignId} ${userId} ${atMs}`);
  }

  get count(): number {
    return this.#lines.length;
  }

  hash(): string {
    return createHash('sha256').update(this.#lines.sort().join('\n')).digest('hex').slice(0, 16);
  }
}

export interface SlowCheckOptions {
  /** Of all campaigns: what happened before opens and triggers nothing. */
  readonly publishedAtMs: number;
  /** Partition time at the end; what is due later stays open. */
  readonly untilMs: number;
  /** One user in so many. */
  readonly every: number;
}

export function slowQualifications(
  definitions: Definitions,
  workload: ShopWorkload,
  { publishedAtMs, untilMs, every }: SlowCheckOptions,
): QualificationSet {
  const found = new QualificationSet();
  const models = new Map<string, InactionModel>();
  for (const { id, rule } of definitions.campaigns) {
    if (rule.kind !== 'inaction') continue;
    const renamed = { ...rule, did: { event: 'did' }, without: [{ event: 'without' }] };
    models.set(id, new InactionModel([{ id, rule: renamed, publishedAtMs }]));
  }
  const seen = new Set<string>();
  while (workload.next()) {
    const { event, receivedAtMs } = workload;
    if (!isSampled(event.userId, every)) continue;
    const isFirst = !seen.has(event.messageId);
    seen.add(event.messageId);
    for (const { id, rule } of definitions.campaigns) {
      const passes = FILTERS[id]?.(event.properties) ?? true;
      if (rule.kind === 'action') {
        const isMet = rule.on.event === event.name && passes && event.eventAtMs >= publishedAtMs;
        if (isMet && isFirst) found.add(id, event.userId, receivedAtMs);
        continue;
      }
      if (rule.kind !== 'inaction') throw new Error(`No model of ${rule.kind} in this check.`);
      const isDid = rule.did.event === event.name && passes;
      const isWithout = rule.without.some((without) => without.event === event.name);
      if (!isDid && !isWithout) continue;
      const modelled: ModelEvent = {
        user: event.userId,
        name: isDid ? 'did' : 'without',
        eventAtMs: event.eventAtMs,
        receivedAtMs,
        messageId: event.messageId,
        cart: String(event.properties.cart_id),
      };
      models.get(id)!.event(modelled);
    }
  }
  for (const model of models.values()) {
    model.passTime(untilMs);
    for (const { campaignId, user, atMs } of model.qualifications) {
      found.add(campaignId, user, atMs);
    }
  }
  return found;
}
