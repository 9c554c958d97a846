import { DAY_MS, MINUTE_MS } from '../../../engine/time/duration.ts';
import { instantOfWallMs, weekdayOf, zoneOffsetMs } from '../../../engine/time/zone.ts';
import type { QuietWindow } from '../../definitions.ts';

/** Windows that follow one another for longer leave no free time, which definitions refuse. */
const CHAINED_DAYS_MAX = 21;

/**
 * When quiet hours end: undefined at an instant that is free, else the instant (Unix ms) from which
 * on it is free. Windows belong to the weekday on which they start (E44) and end before `toMinute`;
 * one that begins where another ends continues it. A start or end that clocks skip is the instant of
 * the change, and of one that they show twice it is the first (E19).
 * @param timezone an IANA name
 */
export function quietUntil(
  atMs: number,
  windows: readonly QuietWindow[],
  timezone: string,
): number | undefined {
  let untilMs = latestEnd(atMs, windows, timezone);
  if (untilMs === atMs) return undefined;
  const limitMs = atMs + CHAINED_DAYS_MAX * DAY_MS;
  while (untilMs < limitMs) {
    const nextMs = latestEnd(untilMs, windows, timezone);
    if (nextMs === untilMs) break;
    untilMs = nextMs;
  }
  return untilMs;
}

/** The latest end of the windows that the instant is in; the instant itself when it is in none. */
function latestEnd(atMs: number, windows: readonly QuietWindow[], timezone: string): number {
  const offsetMs = zoneOffsetMs(atMs, timezone);
  const isSteady =
    zoneOffsetMs(atMs - 2 * DAY_MS, timezone) === offsetMs &&
    zoneOffsetMs(atMs + 2 * DAY_MS, timezone) === offsetMs;
  // Almost always no clock changes nearby, and then one subtraction is enough.
  const instantOf = (wallMs: number): number =>
    isSteady ? wallMs - offsetMs : instantOfWallMs(wallMs, timezone);
  const today = Math.floor((atMs + offsetMs) / DAY_MS);
  let latestMs = atMs;
  for (const { days, fromMinute, toMinute } of windows) {
    const lastsOver = toMinute <= fromMinute ? DAY_MS : 0;
    // Tomorrow's may have started: clocks that go back over midnight show today once more.
    for (let day = lastsOver === 0 ? today : today - 1; day <= today + 1; day++) {
      if (!days.includes(weekdayOf(day))) continue;
      const dayMs = day * DAY_MS;
      if (instantOf(dayMs + fromMinute * MINUTE_MS) > atMs) continue;
      const endMs = instantOf(dayMs + lastsOver + toMinute * MINUTE_MS);
      if (endMs > latestMs) latestMs = endMs;
    }
  }
  return latestMs;
}
