import type { Batch, Entry } from './batch.ts';
import type { Caps } from './caps.ts';
import type { Delivery, DeliveryPosition } from './delivery.ts';
import type { CapPlaces, LaneRecord, LaneSnapshot, SettledRecord } from './lane-records.ts';
import { UNRECORDED_MAX } from './outbox.ts';

/**
 * What an earlier run left: its batches, as its records tell them, until their members have been
 * read from the log again; and which deliveries it may have sent without a record.
 */
export class Recovery {
  readonly #batches = new Map<string, Batch>();
  readonly #byPosition = new Map<string, Batch>();
  /** Deliveries met so far that may have been sent by themselves, by campaign. */
  readonly #alone = new Map<string, number>();
  readonly #caps: Caps;
  #isClean = true;
  /** Until when a receiver asked the lane to wait. */
  holdUntilMs = 0;
  rateArrivalAtMs = 0;
  /** Up to this offset a run that crashed may have sent deliveries by themselves, unrecorded. */
  aloneUpTo = 0;

  constructor(caps: Caps) {
    this.#caps = caps;
  }

  /** Batches with members still to be read. */
  get size(): number {
    return this.#batches.size;
  }

  batches(): IterableIterator<Batch> {
    return this.#batches.values();
  }

  restore(snapshot: LaneSnapshot): void {
    this.#caps.restore(snapshot.caps);
    for (const { webhookId, attempts, retryAtMs, members, places } of snapshot.batches) {
      const batch = this.#add(webhookId, members, places);
      batch.attempts = attempts;
      batch.retryAtMs = retryAtMs;
    }
    this.holdUntilMs = snapshot.holdUntilMs;
    this.rateArrivalAtMs = snapshot.rateArrivalAtMs;
    this.aloneUpTo = snapshot.aloneUpTo;
    this.#isClean = snapshot.isClean;
  }

  replay(record: LaneRecord): void {
    this.#isClean = false;
    if (record.kind === 'settled') this.#settle(record);
    else if (record.kind === 'formed') {
      this.#add(record.webhookId, record.members, record.places);
    } else {
      const batch = this.#add(record.webhookId, record.members);
      batch.attempts = record.attempt;
      batch.retryAtMs = record.retryAtMs;
      this.holdUntilMs = Math.max(this.holdUntilMs, record.holdUntilMs);
    }
  }

  /**
   * All records are read.
   * @param tail the last offset of `out` that the earlier run may have seen
   * @returns false when it ended in a crash
   */
  finish(tail: number): boolean {
    if (!this.#isClean) this.aloneUpTo = tail;
    return this.#isClean;
  }

  /**
   * Whether a delivery in no recorded batch may have been sent by itself; asked once for each, in
   * order of position. Not for expired ones: they cannot have been sent while a later one was not.
   *
   * An earlier run that did not end by itself may not be dead: one that was only stopped reads on
   * for a moment before it notices, so its unrecorded ones may lie beyond the tail as we found it.
   * They are still the first of their campaign.
   */
  isAlone({ offset }: DeliveryPosition, { campaignId }: Delivery): boolean {
    if (this.#isClean && offset > this.aloneUpTo) return false;
    const before = this.#alone.get(campaignId) ?? 0;
    this.#alone.set(campaignId, before + 1);
    return before < UNRECORDED_MAX;
  }

  /** The batch that a delivery belonged to, or undefined. */
  batchAt(position: DeliveryPosition): Batch | undefined {
    return this.#byPosition.get(keyOf(position));
  }

  /** Puts a delivery back into its batch; true when that was the last one missing. */
  join(batch: Batch, entry: Entry): boolean {
    const place = batch.positions.findIndex(
      ({ offset, index }) => offset === entry.offset && index === entry.index,
    );
    batch.members[place] = entry;
    entry.batch = batch;
    batch.expiresAtMs = Math.min(batch.expiresAtMs, entry.delivery.expiresAtMs);
    this.#byPosition.delete(keyOf(entry));
    // `Object.keys` skips the places that are still empty.
    if (Object.keys(batch.members).length < batch.positions.length) return false;
    this.#batches.delete(batch.webhookId);
    return true;
  }

  #add(
    webhookId: string,
    positions: readonly DeliveryPosition[],
    places?: CapPlaces | undefined,
  ): Batch {
    const known = this.#batches.get(webhookId);
    if (known !== undefined) return known;
    if (places !== undefined) this.#caps.reserved(places, positions.length);
    const batch: Batch = {
      webhookId,
      positions,
      members: [],
      state: 'recovering',
      attempts: 0,
      retryAtMs: 0,
      expiresAtMs: Number.POSITIVE_INFINITY,
      places,
      isUnrecorded: false,
    };
    this.#batches.set(webhookId, batch);
    for (const position of positions) this.#byPosition.set(keyOf(position), batch);
    return batch;
  }

  #settle({ webhookId, campaignId, outcome, members }: SettledRecord): void {
    const batch = this.#batches.get(webhookId);
    this.#caps.settled(campaignId, outcome, batch?.places, members.length);
    if (batch === undefined) return;
    this.#batches.delete(webhookId);
    for (const position of batch.positions) this.#byPosition.delete(keyOf(position));
  }
}

function keyOf({ offset, index }: DeliveryPosition): string {
  return `${offset}:${index}`;
}
