/** Clocks of a zone the slow way: by the changes that the calendar lists, one minute at a time. */
import { Temporal } from 'temporal-polyfill';
import { DAY_MS, MINUTE_MS } from '../../engine/time/duration.ts';

interface Change {
  readonly atMs: number;
  readonly offsetMs: number;
}

export class SlowClock {
  readonly #changes: Change[] = [];
  readonly #firstOffsetMs: number;

  /** Knows the clock from `fromMs` to `untilMs`, and no further. */
  constructor(timezone: string, fromMs: number, untilMs: number) {
    let at = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(timezone);
    this.#firstOffsetMs = at.offsetNanoseconds / 1e6;
    for (;;) {
      const next = at.getTimeZoneTransition('next');
      if (next === null || next.epochMilliseconds > untilMs) break;
      this.#changes.push({
        atMs: next.epochMilliseconds,
        offsetMs: next.offsetNanoseconds / 1e6,
      });
      at = next;
    }
  }

  wallMs(atMs: number): number {
    let offsetMs = this.#firstOffsetMs;
    for (const change of this.#changes) if (change.atMs <= atMs) offsetMs = change.offsetMs;
    return atMs + offsetMs;
  }

  /** The first whole minute at which the clock shows this or more. */
  firstInstantMs(wallMs: number): number {
    let atMs = Math.floor((wallMs - DAY_MS) / MINUTE_MS) * MINUTE_MS;
    while (this.wallMs(atMs) < wallMs) atMs += MINUTE_MS;
    return atMs;
  }
}

/** Zones whose clocks change in every way there is, with an instant near a change. */
export const CHANGING_CLOCKS: readonly (readonly [string, string])[] = [
  ['UTC', '2026-01-05T00:00:00Z'],
  ['Asia/Kolkata', '2026-01-05T00:00:00Z'],
  ['Europe/Berlin', '2026-03-29T01:00:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00:00Z'],
  ['America/New_York', '2026-03-08T07:00:00Z'],
  ['America/New_York', '2026-11-01T06:00:00Z'],
  // Half an hour.
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
  // Midnight is skipped, or comes twice.
  ['Africa/Cairo', '2026-04-23T22:00:00Z'],
  ['America/Havana', '2026-11-01T05:00:00Z'],
  ['America/Sao_Paulo', '2018-02-18T02:00:00Z'],
  // Back over midnight, at one minute past it.
  ['America/St_Johns', '2010-11-07T02:31:00Z'],
  // A whole day is skipped.
  ['Pacific/Apia', '2011-12-30T10:00:00Z'],
  ['Antarctica/Troll', '2026-03-29T01:00:00Z'],
];
