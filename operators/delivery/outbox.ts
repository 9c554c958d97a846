import type { Batch } from './batch.ts';
import type { LaneRecord } from './lane-records.ts';

/**
 * So many requests of a single delivery may be out without a record in the log. After a crash
 * the first so many of each campaign are therefore sent by themselves: one of them may have been.
 * May grow from one version to the next, never shrink.
 */
export const UNRECORDED_MAX = 64;

/** A record and what hangs on its being durable. */
interface Waiting {
  readonly record: LaneRecord;
  /** The batch that may be sent then. */
  readonly formed?: Batch;
  /** It holds the result of a request that went out unrecorded. */
  readonly isAnswer: boolean;
}

/**
 * The records of a lane on their way to the log, and what waits until they are durable. One lot
 * is on its way at a time: `take`, then `durable`, then the next.
 */
export class Outbox {
  #waiting: Waiting[] = [];
  #taken: readonly Waiting[] = [];
  /** Batches whose record is not durable. */
  #formedCount = 0;
  #unrecorded = 0;
  /** The next record holds the result of an unrecorded request. */
  #isAnswer = false;

  /** Records that are still to be taken. */
  get size(): number {
    return this.#waiting.length;
  }

  push(record: LaneRecord): void {
    this.#waiting.push({ record, isAnswer: this.#isAnswer });
    this.#isAnswer = false;
  }

  pushFormed(batch: Batch): void {
    const { webhookId, positions, places } = batch;
    const formed = { kind: 'formed', webhookId, members: positions } as const;
    const record: LaneRecord = places === undefined ? formed : { ...formed, places };
    this.#waiting.push({ record, formed: batch, isAnswer: false });
    this.#formedCount++;
  }

  /** Requests that went out unrecorded and whose result is not durable. */
  get unrecordedCount(): number {
    return this.#unrecorded;
  }

  /**
   * Lets a batch of one go without a record, if not too many are out like that. Not past batches
   * whose record is still on its way: after a crash their members would stand before it, and it
   * would not be among the first of its campaign.
   */
  allowUnrecorded(batch: Batch): boolean {
    const isPassing = this.#formedCount > 0;
    if (batch.members.length > 1 || isPassing || this.#unrecorded >= UNRECORDED_MAX) return false;
    // A place under a cap must be known to be taken before somebody may have got the message.
    if (batch.places !== undefined) return false;
    batch.isUnrecorded = true;
    this.#unrecorded++;
    return true;
  }

  /** A result has come; its record is pushed next, within the same call of the lane. */
  answered(batch: Batch): void {
    if (!batch.isUnrecorded) return;
    batch.isUnrecorded = false;
    this.#isAnswer = true;
  }

  /** The first records, of about so many bytes at most, but at least one if there is one. */
  take(bytesMax = Number.POSITIVE_INFINITY): readonly LaneRecord[] {
    let count = 0;
    for (let bytes = 0; count < this.#waiting.length; count++) {
      bytes += recordBytes(this.#waiting[count]!.record);
      if (count > 0 && bytes > bytesMax) break;
    }
    if (count === 0) return [];
    const isAll = count === this.#waiting.length;
    this.#taken = isAll ? this.#waiting : this.#waiting.slice(0, count);
    this.#waiting = isAll ? [] : this.#waiting.slice(count);
    return this.#taken.map(({ record }) => record);
  }

  /** @returns the batches whose record is durable now */
  durable(): readonly Batch[] {
    const formed = this.#taken.flatMap((one) => (one.formed === undefined ? [] : [one.formed]));
    this.#formedCount -= formed.length;
    for (const { isAnswer } of this.#taken) if (isAnswer) this.#unrecorded--;
    this.#taken = [];
    return formed;
  }
}

const RECORD_BYTES = 96;
const POSITION_BYTES = 12;

/** About how many bytes a record takes in the log. */
function recordBytes(record: LaneRecord): number {
  const { members } = record;
  if (record.kind !== 'settled') return RECORD_BYTES + members.length * POSITION_BYTES;
  let bytes = RECORD_BYTES + record.campaignId.length + record.reason.length;
  for (const { id, userId } of record.members) bytes += POSITION_BYTES + id.length + userId.length;
  return bytes;
}
