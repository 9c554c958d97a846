/**
 * How many bytes LMDB writes at most for what it is asked, so that room can be taken before. Values
 * of a topic go to its end: most pages are written once, however many values share them.
 */
const PAGE_BYTES = 4_096;
/** Larger values have pages of their own. */
const IN_LEAF_BYTES_MAX = 1_900;
/** Key, node and page header. */
const KEPT_BESIDE_BYTES = 64;
/** The way from the roots to a topic's end, in all tables. */
const TOPIC_BYTES = 8 * PAGE_BYTES;
/** Roots, and what LMDB notes of pages that became free; for several transactions in a row. */
const COMMIT_BYTES = 128 * PAGE_BYTES;

/** Of saying whose the log is. */
export const OPENING_BYTES = COMMIT_BYTES;
/** Of one step of a trim. Appends leave it free, or a full log could never forget anything. */
export const TRIM_BYTES = 2 * 2 ** 20;

/** Of putting a value of so many bytes to the end of a topic. */
export function bytesWrittenForValue(bytes: number): number {
  if (bytes > IN_LEAF_BYTES_MAX) {
    return Math.ceil((bytes + KEPT_BESIDE_BYTES) / PAGE_BYTES) * PAGE_BYTES;
  }
  // A leaf that is split stays half empty.
  return 2 * (bytes + KEPT_BESIDE_BYTES);
}

/** What putting values to the ends of so many topics writes at most: a little more than LMDB does. */
export function bytesWrittenFor(valueBytes: number, topics: number): number {
  return COMMIT_BYTES + valueBytes + topics * TOPIC_BYTES;
}
