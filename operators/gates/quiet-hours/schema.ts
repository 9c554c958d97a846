/** `quietHours: {windows, timezone, then}`: hours of the day in which nothing is sent. */
import type * as z from 'zod';
import type { QuietHours, QuietWindow } from '../../definitions.ts';
import { choice, type Leaf, listOf, mapping, schemaOf } from '../../schema/leaf.ts';
import { present } from '../../schema/present.ts';
import type { Range } from '../../schema/range.ts';
import { endOfDayLeaf, timeOfDayLeaf, timezoneLeaf } from '../../schema/time-leaves.ts';
import { gateForm, NO_SETTINGS } from '../gate-form.ts';

export const quietHoursLimits = {
  windows: { min: 1, max: 50, default: 1 },
} as const satisfies Record<string, Range>;

const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const EVERY_DAY: readonly number[] = WEEKDAYS.map((_, index) => index + 1);
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = WEEKDAYS.length * DAY_MINUTES;

const zoneLeaf: Leaf<string> = {
  wanted: `user, account or ${timezoneLeaf.wanted}`,
  read: (value) => (value === 'user' || value === 'account' ? value : timezoneLeaf.read(value)),
  json: { type: 'string', examples: ['user', 'account', 'Asia/Kolkata'] },
};

const windowSchema = mapping({
  days: listOf(
    schemaOf(choice(...WEEKDAYS)),
    { min: 1, max: WEEKDAYS.length },
    `a list of 1 to ${WEEKDAYS.length} days (${WEEKDAYS.join(', ')})`,
  )
    .describe('Days on which the window starts. Absent: every day.')
    .optional(),
  from: schemaOf(timeOfDayLeaf).describe('When it starts.'),
  to: schemaOf(endOfDayLeaf).describe('When it ends; at or before `from`: on the next day.'),
})
  .refine(({ from, to }) => from !== to, {
    path: ['to'],
    message: 'must be another time than from (a whole day is from 00:00 to 24:00)',
    // Otherwise the check of the list would see a window that is not yet read.
    abort: true,
  })
  .transform(({ days, from, to }): QuietWindow => {
    const numbers = days?.map((day) => WEEKDAYS.indexOf(day) + 1);
    const sorted = numbers && [...new Set(numbers)].sort((a, b) => a - b);
    return { days: sorted ?? EVERY_DAY, fromMinute: from, toMinute: to };
  });

/** By the clock on the wall: changes of the clock do not make a free minute. */
function leavesFreeTime(windows: readonly QuietWindow[]): boolean {
  const isQuiet = new Uint8Array(WEEK_MINUTES);
  for (const { days, fromMinute, toMinute } of windows) {
    const minutes = toMinute - fromMinute + (toMinute <= fromMinute ? DAY_MINUTES : 0);
    for (const day of days) {
      const start = (day - 1) * DAY_MINUTES + fromMinute;
      for (let m = start; m < start + minutes; m++) isQuiet[m % WEEK_MINUTES] = 1;
    }
  }
  return isQuiet.includes(0);
}

const { windows } = quietHoursLimits;

const quietHoursSchema = mapping({
  windows: listOf(windowSchema, windows, `a list of ${windows.min} to ${windows.max} windows`)
    .refine(leavesFreeTime, { message: 'must leave some time of the week free' })
    .describe('The quiet hours of the week.'),
  timezone: schemaOf(zoneLeaf)
    .prefault('user')
    .describe("Whose clock: the user's zone (else the account's), the account's, or a zone."),
  // biome-ignore lint/suspicious/noThenProperty: the word of the language; its value is a text.
  then: schemaOf(choice('defer', 'discard'))
    .prefault('defer')
    .describe('What happens to a delivery that is due in quiet hours: it waits, or is dropped.'),
});

export const quietHoursForm = gateForm({
  name: 'quiet-hours',
  limits: quietHoursLimits,
  shape: {
    quietHours: quietHoursSchema.describe('Hours in which nothing is sent.').optional(),
  },
  fieldsOf: ({ quietHours }: { quietHours?: z.output<typeof quietHoursSchema> | undefined }) =>
    present({ quietHours: quietHours as QuietHours | undefined }),
  settings: NO_SETTINGS,
});
