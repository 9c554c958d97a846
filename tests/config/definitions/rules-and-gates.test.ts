// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so do files name variables.
// biome-ignore-all lint/suspicious/noThenProperty: the word of the language; its value is a text.
/** What is accepted and refused of rules, gates, audiences, goals and schedules. */
import { describe, expect, test } from 'vitest';
import { parseDefinitions } from '../../../config/definitions/definitions.ts';
import { campaignFile as file, messages, segment } from './campaign-file.ts';
import type { Loose } from './valid.ts';

const live = (kind: string, rule: object) => file({ qualify: { live: { [kind]: rule } } });
const ruleOf = (kind: string, rule: object): Loose =>
  parseDefinitions(live(kind, rule)).campaigns[0]!.rule;
const campaignOf = (campaign: object): Loose => parseDefinitions(file(campaign)).campaigns[0]!;

const A = { event: 'A' };
const B = { event: 'B' };
const STEPS = 'campaigns[0].qualify.live.sequence.steps';
const WITHIN = 'a duration between 1s and 182d';
const AMOUNT = 'a whole number between 1 and 1000';
const ONE_OF = 'a mapping with exactly one of atLeast, sum';
const DAYS = 'a list of 1 to 7 days (mon, tue, wed, thu, fri, sat, sun)';

test.each<[string, object, string]>([
  ['sequence', { steps: [A], within: '1h' }, `steps must be a list of 2 to 10 events, got a list`],
  [
    'sequence',
    { steps: Array.from({ length: 11 }, () => A), within: '1h' },
    'steps must be a list of 2 to 10 events, got a list',
  ],
  ['sequence', { steps: A, within: '1h' }, 'steps must be a list of 2 to 10 events, got a mapping'],
  ['sequence', { within: '1h' }, 'steps must be a list of 2 to 10 events, got nothing'],
  ['sequence', { steps: [A, B] }, `within must be ${WITHIN}, got nothing`],
  ['sequence', { steps: [A, B], within: '0s' }, `within must be ${WITHIN}, got "0s"`],
  ['sequence', { steps: [A, B], within: '1h', match: '' }, 'match must be the name of a property'],
  ['sequence', { steps: [A, { event: 7 }], within: '1h' }, 'steps[1].event must be the name of an'],
  [
    'sequence',
    { steps: [A, { event: 'B', when: {} }], within: '1h' },
    'steps[1].when must be a known key (did you mean "where"?), got "when"',
  ],
  ['count', { ...A, within: '1h' }, `must be ${ONE_OF}, got a mapping of event, within`],
  [
    'count',
    { ...A, within: '1h', atLeast: 2, sum: { property: 'n', gte: 1 } },
    `must be ${ONE_OF}, got a mapping of event, within, atLeast, …`,
  ],
  ['count', { ...A, within: '1h', atLeast: 0 }, `atLeast must be ${AMOUNT}, got 0`],
  ['count', { ...A, within: '1h', atLeast: 1_001 }, `atLeast must be ${AMOUNT}, got 1001`],
  ['count', { ...A, within: '1h', atLeast: 2.5 }, `atLeast must be ${AMOUNT}, got 2.5`],
  [
    'count',
    { ...A, within: '1h', sum: { property: 'n', gte: 0 } },
    'sum.gte must be a number above 0, got 0',
  ],
  ['count', { ...A, within: '1h', sum: 3 }, 'sum must be a mapping, got 3'],
  ['count', { ...A, within: '183d', atLeast: 2 }, `within must be ${WITHIN}, got "183d"`],
  ['count', { within: '1h', atLeast: 2 }, 'event must be the name of an event, got nothing'],
  ['quiet', {}, `for must be ${WITHIN}, got nothing`],
  ['quiet', { for: 3 }, `for must be ${WITHIN}, got 3`],
  ['quiet', { for: '1h', without: A }, 'without must be one of the known keys event, where, for'],
  ['date', {}, 'property must be the name of a property, got nothing'],
  [
    'date',
    { property: 'd', offset: '5 days' },
    'offset must be a duration of at most 3650d with or without a sign, like -5d or 2h, got "5 days"',
  ],
  ['date', { property: 'd', offset: '-3651d' }, 'offset must be a duration of at most 3650d'],
  ['date', { property: 'd', offset: '--1d' }, 'offset must be a duration of at most 3650d'],
  [
    'date',
    { property: 'd', at: '9:00' },
    'at must be a time of day between 00:00 and 23:59, like 09:00, got "9:00"',
  ],
  ['date', { property: 'd', at: '24:00' }, 'at must be a time of day between 00:00 and 23:59'],
  ['date', { property: 'd', yearly: 'no' }, 'yearly must be true or false, got "no"'],
  ['date', { property: 'd', where: { a: 1 } }, 'where must be left out without event'],
])('%s: %o is refused, because %s', (kind, rule, rest) => {
  const path = `campaigns[0].qualify.live.${kind}`;
  const found = messages(live(kind, rule));
  expect(found).toHaveLength(1);
  const start = rest.startsWith('must be') ? `${path} ${rest}` : `${path}.${rest}`;
  expect(found[0]!.startsWith(start), found[0]).toBe(true);
});

test('sequence: the path of what is wrong in a step leads to the step', () => {
  const steps = [A, { event: 'B', where: { price: { gtt: 3 } } }];
  expect(messages(live('sequence', { steps, within: '1h' }))).toEqual([
    `${STEPS}[1].where.price.gtt must be an operator (did you mean "gt"?), got "gtt"`,
  ]);
});

describe('accepted', () => {
  test('quiet: of anything, of an event, of whatever passes a filter', () => {
    expect(ruleOf('quiet', { for: '3d' })).not.toHaveProperty('on');
    expect(ruleOf('quiet', { event: 'A', for: '3d' }).on).toEqual({ event: 'A' });
    expect(ruleOf('quiet', { where: { a: 1 }, for: '3d' }).on).toEqual({
      where: { property: 'a', op: 'eq', value: 1 },
    });
  });

  test.each([
    ['-5d', { days: -5, ms: 0 }],
    ['+5d', { days: 5, ms: 0 }],
    ['2h', { days: 0, ms: 7_200_000 }],
    ['-1d2h', { days: -1, ms: -7_200_000 }],
    ['0d', { days: 0, ms: 0 }],
    ['-0d', { days: 0, ms: 0 }],
    ['-90m', { days: 0, ms: -5_400_000 }],
    // An hour is an hour: only what is written in days follows the calendar.
    ['48h', { days: 0, ms: 172_800_000 }],
  ])('date: the offset %s', (offset, expected) => {
    expect(ruleOf('date', { property: 'd', offset }).offset).toStrictEqual(expected);
  });

  test('date: without offset, at and yearly', () => {
    const expected = { kind: 'date', property: 'd', offset: { days: 0, ms: 0 }, yearly: false };
    expect(ruleOf('date', { property: 'd' })).toEqual(expected);
  });

  test.each([
    ['each', { kind: 'each' }],
    ['once', { kind: 'once' }],
    [{ atMost: 250 }, { kind: 'atMost', atMost: 250 }],
    [{ every: '5m' }, { kind: 'every', everyMs: 300_000 }],
  ])('repeat: %o', (repeat, expected) => {
    expect(campaignOf({ repeat }).repeat).toEqual(expected);
  });

  test.each([
    [0, { percent: 0, custom: [] }],
    [99, { percent: 99, custom: [] }],
    ['2.5', { percent: 2.5, custom: [] }],
    [{ percent: 10 }, { percent: 10, custom: [] }],
    [{ custom: [] }, { percent: 0, custom: [] }],
  ])('control: %o', (control, expected) => {
    expect(campaignOf({ control }).control).toEqual(expected);
  });

  test('quietHours: windows that end at midnight, and a zone by name', () => {
    const windows = [{ days: ['sun', 'sat', 'sun'], from: '00:00', to: '24:00' }];
    expect(campaignOf({ quietHours: { windows, timezone: 'Europe/Berlin' } }).quietHours).toEqual({
      windows: [{ days: [6, 7], fromMinute: 0, toMinute: 1_440 }],
      timezone: 'Europe/Berlin',
      then: 'defer',
    });
  });

  test('schedule: a start in the past, an end alone, neither', () => {
    const start = '2001-01-01T00:00:00Z';
    expect(campaignOf({ schedule: { start } }).schedule).toEqual({ startAtMs: Date.parse(start) });
    expect(campaignOf({ schedule: { end: start } }).schedule).toEqual({
      endAtMs: Date.parse(start),
    });
    expect(campaignOf({ schedule: { start: 'now' } }).schedule).toEqual({});
    expect(campaignOf({ schedule: {} }).schedule).toEqual({});
  });

  test('values of the environment, which are texts', () => {
    const written = file({
      control: '${N}',
      cap: { total: '${N}' },
      globalLimits: '${NO}',
      qualify: { live: { count: { ...A, within: '1h', sum: { property: 'n', gte: '${N}' } } } },
    });
    const [campaign] = parseDefinitions(written, { env: { N: '12', NO: 'false' } }).campaigns;
    expect(campaign).toMatchObject({
      control: { percent: 12, custom: [] },
      cap: { total: 12 },
      globalLimits: false,
      rule: { sum: { gte: 12 } },
    });
  });
});

const START = '2026-01-05T09:00:00Z';
const quiet = (...windows: object[]) => ({ quietHours: { windows } });
const NIGHT = { from: '22:00', to: '08:00' };
const PERCENT = 'a number between 0 and 99';
const REPEAT = 'each, once, {atMost: N} or {every: D}';
const CAP = 'a whole number between 1 and 1000000000';
const INSTANT = 'an instant in ISO 8601 with a zone, like 2026-12-31T23:59:59Z';
const SEGMENTS = 'a list of at most 100 ids of segments';
const MANY = Array.from({ length: 101 }, (_, i) => `s${i}`);

test.each<[string, object]>([
  [`control must be ${PERCENT}, or {percent, custom}, got 100`, { control: 100 }],
  [`control must be ${PERCENT}, or {percent, custom}, got -1`, { control: -1 }],
  [`control must be ${PERCENT}, or {percent, custom}, got "10%"`, { control: '10%' }],
  [`control must be ${PERCENT}, or {percent, custom}, got an empty list`, { control: [] }],
  [`control.percent must be ${PERCENT}, got 99.5`, { control: { percent: 99.5 } }],
  [
    'control.percnt must be a known key (did you mean "percent"?), got "percnt"',
    { control: { percnt: 1 } },
  ],
  [
    'control.custom[0] must be a custom control group of settings.controlGroups (there is none), got "x"',
    { control: { custom: ['x'] } },
  ],
  [`repeat must be ${REPEAT}, got 2`, { repeat: 2 }],
  [
    'repeat must be a mapping with exactly one of atMost, every, got an empty mapping',
    { repeat: {} },
  ],
  [
    'repeat must be a mapping with exactly one of atMost, every, got a mapping of atMost, every',
    { repeat: { atMost: 1, every: '1d' } },
  ],
  ['repeat.atMost must be a whole number between 1 and 250, got 0', { repeat: { atMost: 0 } }],
  ['repeat.atMost must be a whole number between 1 and 250, got 251', { repeat: { atMost: 251 } }],
  ['repeat.every must be a duration between 5m and 30d, got "4m"', { repeat: { every: '4m' } }],
  ['repeat.every must be a duration between 5m and 30d, got "31d"', { repeat: { every: '31d' } }],
  ['delay must be a duration between 0s and 182d, got "soon"', { delay: 'soon' }],
  ['quietHours.windows must be a list of 1 to 50 windows, got an empty list', quiet()],
  ['quietHours.windows must be a list of 1 to 50 windows, got nothing', { quietHours: {} }],
  [
    'quietHours.windows[1].to must be another time than from (a whole day is from 00:00 to 24:00), got "08:00"',
    quiet(NIGHT, { from: '08:00', to: '08:00' }),
  ],
  [
    'quietHours.windows[0].from must be a time of day between 00:00 and 23:59, like 09:00, got "24:00"',
    quiet({ from: '24:00', to: '08:00' }),
  ],
  [
    'quietHours.windows[0].to must be a time of day between 00:00 and 24:00, like 08:00, got "24:01"',
    quiet({ from: '22:00', to: '24:01' }),
  ],
  [
    'quietHours.windows[0].to must be a time of day between 00:00 and 24:00, like 08:00, got nothing',
    quiet({ from: '22:00' }),
  ],
  [`quietHours.windows[0].days must be ${DAYS}, got an empty list`, quiet({ ...NIGHT, days: [] })],
  [
    'quietHours.windows[0].days[1] must be mon, tue, wed, thu, fri, sat or sun, got "friday"',
    quiet({ ...NIGHT, days: ['mon', 'friday'] }),
  ],
  [
    'quietHours.windows must leave some time of the week free, got a list',
    quiet(NIGHT, { from: '08:00', to: '22:00' }),
  ],
  [
    'quietHours.timezone must be user, account or the IANA name of a time zone, like Asia/Kolkata, got "Mars/Base"',
    { quietHours: { windows: [NIGHT], timezone: 'Mars/Base' } },
  ],
  [
    'quietHours.then must be defer or discard, got "drop"',
    { quietHours: { windows: [NIGHT], then: 'drop' } },
  ],
  ['globalLimits must be true or false, got an empty mapping', { globalLimits: {} }],
  [
    'cap must be a mapping with at least one of total, perDay, perRun, got an empty mapping',
    { cap: {} },
  ],
  [`cap.total must be ${CAP}, got 0`, { cap: { total: 0 } }],
  [`cap.perDay must be ${CAP}, got 1.5`, { cap: { perDay: 1.5 } }],
  [
    'cap.daily must be one of the known keys total, perDay, perRun',
    { cap: { total: 1, daily: 1 } },
  ],
  [
    'safety must be left out of a live campaign, whose audience cannot be counted before it runs, got 100',
    { safety: 100 },
  ],
  [`schedule.start must be now or ${INSTANT}, got "soon"`, { schedule: { start: 'soon' } }],
  [
    `schedule.start must be now or ${INSTANT}, got "2026-01-05"`,
    { schedule: { start: '2026-01-05' } },
  ],
  [`schedule.end must be ${INSTANT}, got "never"`, { schedule: { end: 'never' } }],
  [
    `schedule.end must be after schedule.start, got "${START}"`,
    { schedule: { start: START, end: START } },
  ],
  ['suppressIfDoneBeforeSend must be true or false, got 1', { suppressIfDoneBeforeSend: 1 }],
  ['onOpenWindows must be keep or drop, got "close"', { onOpenWindows: 'close' }],
  [
    'goal.within must be a duration between 1m and 150d, got "30s"',
    { goal: { ...A, within: '30s' } },
  ],
  [
    'goal.within must be a duration between 1m and 150d, got "151d"',
    { goal: { ...A, within: '151d' } },
  ],
  ['goal.within must be a duration between 1m and 150d, got nothing', { goal: A }],
  ['goal.event must be the name of an event, got nothing', { goal: { within: '1d' } }],
  [
    'goal.revenue must be the name of a property, got 12',
    { goal: { ...A, within: '1d', revenue: 12 } },
  ],
  ['labels must be a list of at most 50 labels, got "cart"', { labels: 'cart' }],
  ['labels[0] must be a text of 1 to 200 characters, got ""', { labels: [''] }],
  ['who must be a mapping, got "everyone"', { who: 'everyone' }],
  ['who.where must be a mapping of conditions, got "US"', { who: { where: 'US' } }],
  [
    'who.where.country.equals must be an operator (did you mean "eq"?), got "equals"',
    { who: { where: { country: { equals: 'US' } } } },
  ],
  [`who.include must be ${SEGMENTS}, got "vip"`, { who: { include: 'vip' } }],
  ['who.recheck must be true or false, got "always"', { who: { recheck: 'always' } }],
  [
    'who.include[0] must be the id of a segment (there is none), got "vip"',
    { who: { include: ['vip'] } },
  ],
])('a campaign is refused, because %s', (message, campaign) => {
  const found = messages(file(campaign));
  expect(found).toHaveLength(1);
  expect(found[0]!.startsWith(`campaigns[0].${message}`), found[0]).toBe(true);
});

test.each<[string, object]>([
  [
    'settings.globalLimits[0] must be {atMost, per} or {gap}, got a mapping of atMost',
    { settings: { globalLimits: [{ atMost: 3 }] } },
  ],
  [
    'settings.globalLimits[0] must be {atMost, per} or {gap}, got a mapping of atMost, per, gap',
    { settings: { globalLimits: [{ atMost: 3, per: '1d', gap: '5m' }] } },
  ],
  [
    'settings.globalLimits[0].gap must be a duration between 1m and 30d, got "0s"',
    { settings: { globalLimits: [{ gap: '0s' }] } },
  ],
  [
    'settings.globalLimits must be a list of at most 10 limits, got a list',
    { settings: { globalLimits: Array.from({ length: 11 }, () => ({ gap: '1h' })) } },
  ],
  [
    'settings.controlGroups.system must be a number between 0 and 5, got 6',
    { settings: { controlGroups: { system: 6 } } },
  ],
  [
    'settings.controlGroups.custom must be a mapping of at most 10 groups, got a mapping',
    {
      settings: {
        controlGroups: { custom: Object.fromEntries(MANY.slice(0, 11).map((id) => [id, 1])) },
      },
    },
  ],
  [
    'settings.controlGroups.custom.a must be a number between 0 and 99, got "half"',
    { settings: { controlGroups: { custom: { a: 'half' } } } },
  ],
  [
    'settings.controlGroups.custom["a b"] must be under an id of 1 to 64 letters, digits, - or _ as its name, got 1',
    { settings: { controlGroups: { custom: { 'a b': 1 } } } },
  ],
  [
    'settings.history.retention must be a duration between 1d and 3650d, got "1h"',
    { settings: { history: { retention: '1h' } } },
  ],
  ['segments must be a list, got a mapping of us', { segments: { us: {} } }],
  ['segments[0].audience must be a mapping, got nothing', { segments: [{ id: 'us' }] }],
  [
    'segments[1].id must be given once, got "us", which - has at segments[0].id',
    { segments: [segment('us'), segment('us')] },
  ],
  [
    `segments[0].audience.exclude must be ${SEGMENTS}`,
    { segments: [segment('a', { exclude: MANY })] },
  ],
  [
    'segments[0].audience.exclude[0] must be the id of a segment (us, vip), got "vpi"; did you mean "vip"?',
    { segments: [segment('us', { exclude: ['vpi'] }), segment('vip')] },
  ],
  [
    'segments[0].audience must be free of cycles, got the cycle a → a',
    { segments: [segment('a', { exclude: ['a'] })] },
  ],
  [
    'segments[1].audience must be free of cycles, got the cycle b → c → d → b',
    {
      segments: [
        segment('a', { include: ['b'] }),
        segment('b', { include: ['c'] }),
        segment('c', { exclude: ['e', 'd'] }),
        segment('d', { include: ['b'] }),
        segment('e'),
      ],
    },
  ],
])('a file is refused, because %s', (message, rest) => {
  const found = messages(file({}, rest)).filter(
    (one) => !/must be the id of a segment \(a,/.test(one),
  );
  const unknown = message.includes('at most 100') ? found.slice(0, 1) : found;
  expect(unknown).toHaveLength(1);
  expect(unknown[0]!.startsWith(message), unknown[0]).toBe(true);
});
