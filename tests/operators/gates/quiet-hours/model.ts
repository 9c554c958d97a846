import { DAY_MS, MINUTE_MS } from '../../../../engine/time/duration.ts';
import type { QuietWindow } from '../../../../operators/definitions.ts';
import type { SlowClock } from '../../../support/slow-clock.ts';

interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Every window of the days around, written out; then from one to the next. */
export class QuietModel {
  readonly #spans: Span[] = [];

  constructor(windows: readonly QuietWindow[], clock: SlowClock, firstDay: number, days: number) {
    for (let day = firstDay; day < firstDay + days; day++) {
      const weekday = new Date(day * DAY_MS).getUTCDay() || 7;
      for (const window of windows) {
        if (!window.days.includes(weekday)) continue;
        const { fromMinute, toMinute } = window;
        const endMinute = toMinute > fromMinute ? toMinute : toMinute + 24 * 60;
        this.#spans.push({
          fromMs: clock.firstInstantMs(day * DAY_MS + fromMinute * MINUTE_MS),
          untilMs: clock.firstInstantMs(day * DAY_MS + endMinute * MINUTE_MS),
        });
      }
    }
  }

  quietUntil(atMs: number): number | undefined {
    let freeMs = atMs;
    for (;;) {
      const span = this.#spans.find((one) => one.fromMs <= freeMs && freeMs < one.untilMs);
      if (span === undefined) return freeMs === atMs ? undefined : freeMs;
      freeMs = span.untilMs;
    }
  }
}
