/**
 * Instants that processes of one machine can compare: the monotonic clock, which they share, moved
 * to Unix time once. `Date.now()` alone counts whole milliseconds.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const EDGES = 50;

/**
 * What to add to `monotonicMs()` for Unix ms, found at the edge of a millisecond. Whoever is
 * interrupted there finds too little, so the largest of several counts.
 */
export function wallOffsetMs(): number {
  let offsetMs = Number.NEGATIVE_INFINITY;
  for (let edge = 0; edge < EDGES; edge++) {
    const before = Date.now();
    let nowMs = before;
    while (nowMs === before) nowMs = Date.now();
    offsetMs = Math.max(offsetMs, nowMs - monotonicMs());
  }
  return offsetMs;
}
