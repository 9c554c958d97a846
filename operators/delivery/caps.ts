import { dayAt } from '../../engine/time/zone.ts';
import type { Campaign } from '../definitions.ts';
import type { Entry } from './batch.ts';
import type { CapPlaces, SettledRecord } from './lane-records.ts';

/** How often a campaign has been delivered, for a snapshot. */
export interface CapSnapshot {
  readonly campaignId: string;
  readonly delivered: number;
  /** A calendar day, and what was delivered of the reservations that were made on it. */
  readonly day: number;
  readonly dayDelivered: number;
}

interface Count {
  delivered: number;
  reserved: number;
  day: number;
  dayDelivered: number;
  dayReserved: number;
}

/**
 * The targeting caps of a lane (SPEC 3, gate 10). A campaign has one webhook and a webhook one
 * owner, so plain counters are exact. A delivery is reserved when the lane takes it in, and the
 * reservation is durable before its first attempt: after a crash it is known of every request that
 * may have gone out. What finally fails gives its place back.
 *
 * A day's reservations count on the day on which they were made, however late they are sent. A cap
 * that a running campaign gets counts what was delivered before, but not against the day's number.
 */
export class Caps {
  readonly #counts = new Map<string, Count>();
  #timezone: string;
  /** Campaigns of which it has been told that all places are used up. */
  readonly #told = new Set<string>();
  /** Campaigns that may have become complete since it was asked. */
  readonly #unseen = new Set<string>();

  constructor(timezone = 'UTC') {
    this.#timezone = timezone;
  }

  /** To be called with each new definitions. */
  configure(timezone = 'UTC'): void {
    this.#timezone = timezone;
    // Their totals may have changed.
    for (const id of this.#counts.keys()) this.#unseen.add(id);
  }

  /** Whether its deliveries need a reservation. */
  static isCapped({ cap }: Campaign): boolean {
    return cap.total !== undefined || cap.perDay !== undefined;
  }

  /** Gives a delivery a place. @returns false when there is none */
  reserve({ id, cap }: Campaign, entry: Pick<Entry, 'capDay'>, nowMs: number): boolean {
    const count = this.#countOf(id);
    const { total = Infinity, perDay = Infinity } = cap;
    if (count.delivered + count.reserved >= total) return false;
    roll(count, dayAt(nowMs, this.#timezone));
    if (count.dayDelivered + count.dayReserved >= perDay) return false;
    this.#add(count, count.day, 1);
    entry.capDay = count.day;
    return true;
  }

  /** So many places were reserved by an earlier run. */
  reserved({ campaignId, day }: CapPlaces, size: number): void {
    const count = this.#countOf(campaignId);
    roll(count, day);
    this.#add(count, day, size);
  }

  /** So many deliveries have come to their end. @param places that they had */
  settled(
    campaignId: string,
    outcome: SettledRecord['outcome'],
    places: Pick<CapPlaces, 'day'> | undefined,
    size: number,
  ): void {
    const isDelivered = outcome === 'delivered';
    if (!isDelivered && places === undefined) return;
    const count = this.#countOf(campaignId);
    if (isDelivered) {
      count.delivered += size;
      this.#unseen.add(campaignId);
    }
    if (places === undefined) return;
    this.#add(count, places.day, -size);
    if (isDelivered && places.day === count.day) count.dayDelivered += size;
  }

  /** Campaigns of which the total has been delivered; each is named once. */
  takeCompleted(definitionOf: (campaignId: string) => Campaign | undefined): readonly string[] {
    const completed = [...this.#unseen].filter((id) => {
      const { cap: { total = Infinity } = {} } = definitionOf(id) ?? {};
      const isComplete = this.#countOf(id).delivered >= total;
      if (!isComplete) this.#told.delete(id);
      const isNew = isComplete && !this.#told.has(id);
      if (isNew) this.#told.add(id);
      return isNew;
    });
    this.#unseen.clear();
    return completed;
  }

  /** Reservations are left out: those that count are the batches'. */
  snapshot(): CapSnapshot[] {
    return Array.from(this.#counts, ([campaignId, { delivered, day, dayDelivered }]) => ({
      campaignId,
      delivered,
      day,
      dayDelivered,
    })).filter(({ delivered }) => delivered > 0);
  }

  restore(counts: readonly CapSnapshot[]): void {
    for (const { campaignId, delivered, day, dayDelivered } of counts) {
      const count = { delivered, reserved: 0, day, dayDelivered, dayReserved: 0 };
      this.#counts.set(campaignId, count);
      this.#unseen.add(campaignId);
    }
  }

  #add(count: Count, day: number, places: number): void {
    count.reserved += places;
    if (day === count.day) count.dayReserved += places;
  }

  #countOf(campaignId: string): Count {
    let count = this.#counts.get(campaignId);
    if (count === undefined) {
      count = { delivered: 0, reserved: 0, day: 0, dayDelivered: 0, dayReserved: 0 };
      this.#counts.set(campaignId, count);
    }
    return count;
  }
}

/** The next day begins; it never goes back, whatever the clock or the zone does. */
function roll(count: Count, day: number): void {
  if (day <= count.day) return;
  count.day = day;
  count.dayDelivered = 0;
  count.dayReserved = 0;
}
