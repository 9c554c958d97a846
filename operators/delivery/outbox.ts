import type { Batch } from './batch.ts';
import type { LaneRecord } from './lane-records.ts';

/**
 * So many requests of a single delivery may be out without a record in the log. After a crash
 * the first so many of each campaign are therefore sent by themselves: one of them may have been.
 * May grow from one version to the next, never shrink.
 */
export const UNRECORDED_MAX = 64;

/**
 * The records of a lane on their way to the log, and what waits until they are durable. One lot
 * is on its way at a time: `take`, then `durable`, then the next.
 */
export class Outbox {
  #records: LaneRecord[] = [];
  /** Batches that may be sent once their `formed` record is durable. */
  #formed: Batch[] = [];
  #formedTaken: Batch[] = [];
  #unrecorded = 0;
  /** Of those, the ones whose result is a record now, by how far it has come. */
  #answered = 0;
  #answeredTaken = 0;

  push(record: LaneRecord): void {
    this.#records.push(record);
  }

  pushFormed(batch: Batch): void {
    this.#formed.push(batch);
    const { webhookId, positions } = batch;
    this.#records.push({ kind: 'formed', webhookId, members: positions });
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
    const isPassing = this.#formed.length + this.#formedTaken.length > 0;
    if (batch.members.length > 1 || isPassing || this.#unrecorded >= UNRECORDED_MAX) return false;
    batch.isUnrecorded = true;
    this.#unrecorded++;
    return true;
  }

  /** A result has come; its record is pushed within the same call of the lane. */
  answered(batch: Batch): void {
    if (!batch.isUnrecorded) return;
    batch.isUnrecorded = false;
    this.#answered++;
  }

  take(): readonly LaneRecord[] {
    const records = this.#records;
    if (records.length === 0) return records;
    this.#records = [];
    this.#formedTaken = this.#formed;
    this.#formed = [];
    this.#answeredTaken = this.#answered;
    this.#answered = 0;
    return records;
  }

  /** @returns the batches whose record is durable now */
  durable(): readonly Batch[] {
    const formed = this.#formedTaken;
    this.#formedTaken = [];
    this.#unrecorded -= this.#answeredTaken;
    this.#answeredTaken = 0;
    return formed;
  }
}
