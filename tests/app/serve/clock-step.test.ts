import { expect, test } from 'vitest';
import { clockStepError } from '../../../app/serve/clock-step.ts';

const HOUR_MS = 3_600_000;

test('a clock that is set back is told with what it means', () => {
  const { code, message } = clockStepError({ byMs: -HOUR_MS - 0.4, aheadMs: HOUR_MS + 0.4 });
  expect(code).toBe('ERR_CLOCK_STEP');
  expect(message).toBe(
    'The system clock was set back by 1h. Lapse keeps its own time, which is 1h ahead of it and runs 0.1 % slower until both agree: nothing is late, but events without an exact timestamp may fire their timers up to 1h early.',
  );
});

test('a clock that is set forward is told in one line, and so is one that is right again', () => {
  const { message } = clockStepError({ byMs: 90_000, aheadMs: 0 });
  expect(message).toBe('The system clock was set forward by 1m30s. Lapse agrees with it.');
});

test('a log from before the clock was set back is told at the start', () => {
  const { message } = clockStepError({ byMs: 0, aheadMs: HOUR_MS });
  expect(message).toMatch(/^The log is 1h ahead of the system clock, /);
});
