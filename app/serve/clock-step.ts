import { externalError, type LapseError } from '../../engine/errors/errors.ts';
import { formatDuration } from '../../engine/time/duration.ts';
import type { ClockStep } from '../../engine/time/steady-clock.ts';

/** A lead below this is made up for in a quarter of an hour and needs no sentence. */
const AHEAD_MS_TOLD = 1_000;

/** What the log says of a step of the system's clock, in one sentence or two. */
export function clockStepError({ byMs, aheadMs }: ClockStep): LapseError {
  const facts = { byMs: Math.round(byMs), aheadMs: Math.round(aheadMs) };
  const lead = roughly(aheadMs);
  const effect =
    aheadMs < AHEAD_MS_TOLD
      ? 'Lapse agrees with it.'
      : `Lapse keeps its own time, which is ${lead} ahead of it and runs 0.1 % slower until both agree: nothing is late, but events without an exact timestamp may fire their timers up to ${lead} early.`;
  const what =
    byMs === 0
      ? `The log is ${lead} ahead of the system clock, which was set back while Lapse was down.`
      : `The system clock was set ${byMs < 0 ? 'back' : 'forward'} by ${roughly(Math.abs(byMs))}.`;
  return externalError('ERR_CLOCK_STEP', `${what} ${effect}`, { facts });
}

/** With whole seconds: nobody sets a clock to the millisecond. */
function roughly(ms: number): string {
  return formatDuration(Math.max(1, Math.round(ms / 1_000)) * 1_000);
}
