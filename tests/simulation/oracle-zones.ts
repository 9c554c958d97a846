/** Clocks on the wall, by a table: no zone of these changes its clocks in the days of a run. */
const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const MINUTE_MS = 60_000;

const AHEAD_OF_UTC_MS: Readonly<Record<string, number>> = {
  UTC: 0,
  'Europe/Paris': HOUR_MS,
  'Asia/Kolkata': 5.5 * HOUR_MS,
};

export function isZone(name: unknown): name is string {
  return typeof name === 'string' && AHEAD_OF_UTC_MS[name] !== undefined;
}

export function wallOf(atMs: number, zone: string): number {
  return atMs + AHEAD_OF_UTC_MS[zone]!;
}

export function instantOf(wallMs: number, zone: string): number {
  return wallMs - AHEAD_OF_UTC_MS[zone]!;
}

/** Quiet hours of every day: when they end, or undefined where none are. */
export function quietUntil(
  atMs: number,
  windows: readonly { readonly fromMinute: number; readonly toMinute: number }[],
  zone: string,
): number | undefined {
  const dayMs = Math.floor(wallOf(atMs, zone) / DAY_MS) * DAY_MS;
  let wallMs = wallOf(atMs, zone);
  // One that begins where another ends goes on with it.
  for (let i = 0; i <= windows.length; i++) {
    for (const { fromMinute, toMinute } of windows) {
      const from = dayMs + fromMinute * MINUTE_MS;
      const to = dayMs + toMinute * MINUTE_MS;
      if (wallMs >= from && wallMs < to) wallMs = to;
    }
  }
  const untilMs = instantOf(wallMs, zone);
  return untilMs === atMs ? undefined : untilMs;
}
