import type {
  LaneChanges,
  LaneOutcome,
  SenderAttempt,
  SenderLane,
} from '../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../engine/sender/transport.ts';
import { decodeDeliveries } from './codec.ts';
import { countDeliveries } from './count-deliveries.ts';
import { decodeRecords, decodeSnapshot, encodeRecords, encodeSnapshot } from './done-codec.ts';
import { Lane } from './lane.ts';
import type { LaneDefinitions, LaneOptions } from './lane-campaigns.ts';
import type { LaneRecord } from './lane-records.ts';

/** Of one envelope of records: a NATS message has 1 MiB, and texts may grow when encoded. */
const CHANGES_BYTES_MAX = 256 * 1024;

/** A `Lane` as the runner wants it: in and out are bytes of the log. */
export class LogLane implements SenderLane<LaneDefinitions> {
  readonly #lane: Lane;

  constructor(options: LaneOptions) {
    this.#lane = new Lane(options);
  }

  get room(): number {
    return this.#lane.room;
  }

  get pendingCount(): number {
    return this.#lane.pendingCount;
  }

  get base(): number {
    return this.#lane.base;
  }

  update(definitions: LaneDefinitions, nowMs: number): void {
    this.#lane.update(definitions, nowMs);
  }

  offer(offset: number, bytes: Uint8Array, nowMs: number): void {
    this.#lane.offer(offset, decodeDeliveries(bytes), nowMs);
  }

  countOf(bytes: Uint8Array): number {
    return countDeliveries(bytes);
  }

  poll(nowMs: number, wallMs: number): SenderAttempt | undefined {
    return this.#lane.poll(nowMs, wallMs);
  }

  onResult(attempt: SenderAttempt, result: TransportResult, nowMs: number): void {
    this.#lane.onResult(attempt, result, nowMs);
  }

  nextWakeAtMs(nowMs: number): number | undefined {
    return this.#lane.nextWakeAtMs(nowMs);
  }

  takeChanges(): LaneChanges | undefined {
    const records = this.#lane.takeRecords(CHANGES_BYTES_MAX);
    if (records.length === 0) return undefined;
    const outcomes = records.flatMap(outcomesOf);
    const isAll = this.#lane.recordsWaiting === 0;
    const completed = isAll ? this.#lane.takeCompleted() : [];
    return { bytes: encodeRecords(records), count: records.length, outcomes, completed, isAll };
  }

  takeCompleted(): readonly string[] {
    return this.#lane.takeCompleted();
  }

  changesDurable(): void {
    this.#lane.onDurable();
  }

  claim(): Uint8Array {
    return encodeRecords([]);
  }

  snapshot(isClean: boolean): Uint8Array {
    return encodeSnapshot(this.#lane.snapshot(isClean));
  }

  restore(snapshot: Uint8Array): void {
    this.#lane.restore(decodeSnapshot(snapshot));
  }

  replay(bytes: Uint8Array): readonly LaneOutcome[] {
    const records = decodeRecords(bytes);
    for (const record of records) this.#lane.replay(record);
    return records.flatMap(outcomesOf);
  }

  recovered(tail: number, nowMs: number): void {
    this.#lane.recovered(tail, nowMs);
  }
}

/** The final words that a record holds; none unless it is a settled one. */
export function outcomesOf(record: LaneRecord): LaneOutcome[] {
  if (record.kind !== 'settled') return [];
  const { campaignId, outcome, reason, atMs } = record;
  return record.members.map(({ id, userId, isAnonymous, wantsOutcome }) => ({
    deliveryId: id,
    campaignId,
    userId,
    isAnonymous: isAnonymous === true,
    isWanted: wantsOutcome === true,
    outcome,
    ...(outcome === 'delivered' ? {} : { reason }),
    atMs,
  }));
}
