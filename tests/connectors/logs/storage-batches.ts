import type { PendingBatch } from '../../../connectors/logs/embedded/apply-batch.ts';
import { padded, STORED } from '../../../connectors/logs/embedded/lmdb-schema.ts';
import { ENTRY, EntryKind } from '../../../connectors/logs/embedded/storage-protocol.ts';

export const TOPICS: readonly string[] = Array.from({ length: 40 }, (_, n) => `in.${n}`);

export interface PlannedEnvelope {
  /** Index into `TOPICS`. */
  readonly topic: number;
  readonly bytes: number;
  /** Each of its bytes. @default 0 */
  readonly mark?: number;
}

/** A batch as a client of the storage lays it out. */
export function batchOf(envelopes: readonly PlannedEnvelope[]): PendingBatch {
  const lengths = envelopes.map(({ bytes }) => STORED.bytes + bytes);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + padded(length), 0));
  const entries = new Float64Array(envelopes.length * ENTRY.fields);
  let start = 0;
  for (const [i, { topic, mark }] of envelopes.entries()) {
    const length = lengths[i]!;
    bytes.fill(mark ?? 0, start + STORED.bytes, start + length);
    entries.set([topic, start, length, EntryKind.append, 0], i * ENTRY.fields);
    start += padded(length);
  }
  return { batch: { kind: 'append', newTopics: [], entries, bytes }, topics: TOPICS };
}
