/**
 * How many bytes LMDB writes at most for what it is asked, so that room can be taken before. Values
 * of a topic go to its end: most pages are written once, however many values share them.
 */
import type { PendingBatch } from './storage.ts';
import { ENTRY } from './storage-protocol.ts';

const PAGE_BYTES = 4_096;
/** Larger values have pages of their own. */
const IN_LEAF_BYTES_MAX = 1_900;
/** Key, node and page header. */
const KEPT_BESIDE_BYTES = 64;
/** The way from the roots to a topic's end, in all tables. */
const TOPIC_BYTES = 8 * PAGE_BYTES;
/** Roots, and what LMDB notes of pages that became free. */
const COMMIT_BYTES = 64 * PAGE_BYTES;

/** Of saying whose the log is. */
export const OPENING_BYTES = COMMIT_BYTES;
/** Of one step of a trim. Appends leave it free, or a full log could never forget anything. */
export const TRIM_BYTES = 2 * 2 ** 20;

/** What storing the batches writes at most: a little more than LMDB does. */
export function bytesWrittenFor(batches: readonly PendingBatch[]): number {
  let bytes = COMMIT_BYTES;
  for (const { batch } of batches) {
    const { entries } = batch;
    const topics = new Set<number>();
    for (let at = 0; at < entries.length; at += ENTRY.fields) {
      const length = entries[at + ENTRY.length]!;
      topics.add(entries[at + ENTRY.topic]!);
      // A leaf that is split stays half empty.
      bytes +=
        length > IN_LEAF_BYTES_MAX
          ? Math.ceil((length + KEPT_BESIDE_BYTES) / PAGE_BYTES) * PAGE_BYTES
          : 2 * (length + KEPT_BESIDE_BYTES);
    }
    bytes += topics.size * TOPIC_BYTES;
  }
  return bytes;
}
