/** What definitions are refused for that no key of them is wrong by itself. */
import { describe, expect, test } from 'vitest';
import { parseDefinitions } from '../../../config/definitions/definitions.ts';
import { publicationComplaints } from '../../../config/definitions/run-time.ts';
import { audienceLimits } from '../../../config/limits.ts';
import { campaignFile as file, messages, messagesOf, segment } from './campaign-file.ts';
import type { Loose } from './valid.ts';

const START = '2026-01-05T09:00:00Z';
const A = { event: 'A' };
const B = { event: 'B' };
const GROUPS = Array.from({ length: 10 }, (_, i) => `g${i}`);

describe('the time for which a campaign runs', () => {
  /** Ten minutes. */
  const schedule = { start: START, end: '2026-01-05T09:10:00Z' };
  const tooLong = (path: string, got: string) =>
    `campaigns[0].${path} must be at most as long as the campaign runs (10m), got ${got}`;

  test.each<[string, string, object]>([
    ['inaction', 'within', { did: A, without: B, within: '11m' }],
    ['sequence', 'within', { steps: [A, B], within: '11m' }],
    ['count', 'within', { ...A, atLeast: 2, within: '11m' }],
    ['quiet', 'for', { for: '11m' }],
  ])('a window of %s must fit into it', (kind, key, rule) => {
    const qualify = { live: { [kind]: rule } };
    const expected = [tooLong(`qualify.live.${kind}.${key}`, '11m')];
    expect(messages(file({ qualify, schedule }))).toEqual(expected);
    const fitting = { live: { [kind]: { ...rule, [key]: '10m' } } };
    expect(messages(file({ qualify: fitting, schedule }))).toEqual([]);
  });

  test('a delay must fit into it', () => {
    expect(messages(file({ delay: '11m', schedule }))).toEqual([tooLong('delay', '11m')]);
    expect(messages(file({ delay: '10m', schedule }))).toEqual([]);
  });

  test('a window and a delay that only together do not fit are a matter of each user', () => {
    const qualify = { live: { quiet: { for: '8m' } } };
    expect(messages(file({ qualify, delay: '8m', schedule }))).toEqual([]);
  });

  test('without a start it is known only at the publication', () => {
    const written = file({ delay: '11m', schedule: { end: schedule.end } });
    const [campaign] = parseDefinitions(written).campaigns;
    const startMs = Date.parse(START);
    expect(publicationComplaints(campaign!, startMs)).toEqual([
      { path: 'delay', rest: 'must be at most as long as the campaign runs (10m), got 11m' },
    ]);
    expect(publicationComplaints(campaign!, startMs - 60_000)).toEqual([]);
    expect(publicationComplaints(campaign!, Date.parse(schedule.end))).toEqual([
      {
        path: 'schedule.end',
        rest: 'must be after the start (2026-01-05T09:10:00.000Z), got 2026-01-05T09:10:00.000Z',
      },
    ]);
  });

  test('a start that is to come counts, not the publication before it', () => {
    const [campaign] = parseDefinitions(file({ delay: '10m', schedule })).campaigns;
    expect(publicationComplaints(campaign!, Date.parse(START) - 60_000)).toEqual([]);
  });
});

describe('segments of segments', () => {
  const chain = (length: number) =>
    Array.from({ length }, (_, i) => segment(`s${i}`, i === 0 ? {} : { include: [`s${i - 1}`] }));

  test('may be as deep as the limit, and one more is refused once', () => {
    const { max } = audienceLimits.segmentDepth;
    expect(messages(file({}, { segments: chain(max) }))).toEqual([]);
    expect(messages(file({}, { segments: chain(max + 5) }))).toEqual([
      `segments[${max}].audience must be nested at most ${max} segments deep, got more`,
    ]);
    expect(messages(file({}, { segments: chain(max + 5).reverse() }))).toHaveLength(1);
  });

  test('a chain as long as a file can be, and a ring of it, exhaust no stack', () => {
    const segments: Loose[] = chain(20_000);
    segments[0].audience.include = ['s19999'];
    const ring = messages(file({}, { segments })).find((one) => one.includes('cycle'));
    expect(ring).toMatch(/^segments\[\d+\]\.audience must be free of cycles, got the cycle s0 → /);
    expect(ring!.length).toBeLessThan(200);
  });

  test('one that is used in two ways is no cycle', () => {
    const segments = [
      segment('a', { include: ['b', 'c'] }),
      segment('b', { include: ['d'] }),
      segment('c', { exclude: ['d'] }),
      segment('d'),
    ];
    expect(messages(file({}, { segments }))).toEqual([]);
  });
});

describe('on top of definitions in force', () => {
  const base = parseDefinitions(
    file(
      { who: { include: ['us'] }, targetId: 7 },
      {
        settings: {
          timezone: 'Asia/Kolkata',
          globalLimits: [{ gap: '1h' }],
          controlGroups: { system: 1, custom: { a: 2 } },
        },
        segments: [segment('us'), segment('eu')],
      },
    ),
  );
  const apply = (value: unknown) => parseDefinitions(value, { base });
  const on = (value: unknown) => messagesOf(() => apply(value));
  const campaign = (id: string, rest: object = {}) => ({
    id,
    webhook: 'crm',
    qualify: { live: { action: A } },
    ...rest,
  });

  test('what is new is added, what has the same id is replaced, nothing is removed', () => {
    const { webhooks, segments, campaigns } = apply({
      segments: [segment('eu', { include: ['us'] }), segment('asia')],
      campaigns: [campaign('d', { control: { custom: ['a'] } }), campaign('c')],
    });
    expect(webhooks).toEqual(base.webhooks);
    expect(segments.map(({ id, audience }) => [id, audience.include])).toEqual([
      ['us', []],
      ['eu', ['us']],
      ['asia', []],
    ]);
    expect(campaigns.map(({ id, who }) => [id, who])).toEqual([
      ['c', undefined],
      ['d', undefined],
    ]);
  });

  test('settings are replaced key by key', () => {
    expect(apply({ settings: { controlGroups: { custom: { b: 3 } } } }).settings).toEqual({
      ...base.settings,
      controlGroups: { system: 1, custom: { a: 2, b: 3 } },
    });
    expect(apply({ settings: { globalLimits: [] } }).settings.globalLimits).toEqual([]);
  });

  test('what both together get wrong is refused', () => {
    expect(on({ campaigns: [campaign('d', { webhook: 'crn' })] })).toHaveLength(1);
    expect(on({ campaigns: [campaign('d', { targetId: 7 })] })).toEqual([
      'campaigns[0].targetId must be a number of its own, got 7, which "c" has',
    ]);
    const ring = [segment('asia', { include: ['us'] }), segment('us', { include: ['asia'] })];
    expect(on({ segments: ring })).toEqual([
      'segments[0].audience must be free of cycles, got the cycle asia → us → asia',
    ]);
  });

  test('too many custom control groups in all are refused', () => {
    const custom = Object.fromEntries(GROUPS.map((id) => [id, 1]));
    expect(on({ settings: { controlGroups: { custom } } })).toEqual([
      'settings.controlGroups.custom must be a mapping of at most 10 groups, got 11 in all',
    ]);
  });
});
