import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseDefinitions } from '../../../config/definitions/definitions.ts';
import { NOT_BUILT } from '../../../config/definitions/not-built.ts';
import { DefinitionsError } from '../../../config/definitions/problem.ts';
import { LAPSE_VERSION } from '../../../config/definitions/version.ts';
import { changed, type Loose, validDefinitions } from './valid.ts';

const SUFFIX = `is not built yet in this version of Lapse (${LAPSE_VERSION})`;

/** What stands at each path of the table, in a definition that uses it. */
const uses: Readonly<Record<string, [(d: Loose) => void, string]>> = {
  segments: [
    (d) => {
      d.segments = [{ id: 'us', audience: {} }];
    },
    'segments',
  ],
  lists: [
    (d) => {
      d.lists = [{ id: 'vip', file: 'vip.csv' }];
    },
    'lists',
  ],
  'settings.globalLimits': [
    (d) => {
      d.settings.globalLimits = [{ gap: '15m' }];
    },
    'settings.globalLimits',
  ],
  'settings.controlGroups': [
    (d) => {
      d.settings.controlGroups = { system: 3 };
    },
    'settings.controlGroups',
  ],
  'settings.history': [
    (d) => {
      d.settings.history = { retention: '90d' };
    },
    'settings.history',
  ],
  'webhooks[].auth.oauth2': [
    (d) => {
      d.webhooks[0].auth = { oauth2: {} };
    },
    'webhooks[0].auth.oauth2',
  ],
  'webhooks[].auth.mtls': [
    (d) => {
      d.webhooks[0].auth = { mtls: {} };
    },
    'webhooks[0].auth.mtls',
  ],
  'webhooks[].url': [
    (d) => {
      d.webhooks[0].url = 'https://a.example/{{ Profile.x }}';
    },
    'webhooks[0].url as a template',
  ],
  'webhooks[].headers.*': [
    (d) => {
      d.webhooks[0].headers = { 'X-A': '{{ Profile.x }}' };
    },
    'webhooks[0].headers.X-A as a template',
  ],
  'campaigns[].qualify.live.sequence': [
    (d) => {
      d.campaigns[0].qualify.live = { sequence: {} };
    },
    'campaigns[0].qualify.live.sequence',
  ],
  'campaigns[].qualify.live.count': [
    (d) => {
      d.campaigns[0].qualify.live = { count: {} };
    },
    'campaigns[0].qualify.live.count',
  ],
  'campaigns[].qualify.live.quiet': [
    (d) => {
      d.campaigns[0].qualify.live = { quiet: {} };
    },
    'campaigns[0].qualify.live.quiet',
  ],
  'campaigns[].qualify.live.date': [
    (d) => {
      d.campaigns[0].qualify.live = { date: {} };
    },
    'campaigns[0].qualify.live.date',
  ],
  'campaigns[].qualify.past': [
    (d) => {
      d.campaigns[0].qualify = { past: {} };
    },
    'campaigns[0].qualify.past',
  ],
  'campaigns[].qualify.list': [
    (d) => {
      d.campaigns[0].qualify = { list: {} };
    },
    'campaigns[0].qualify.list',
  ],
  'campaigns[].who': [
    (d) => {
      d.campaigns[0].who = { include: [] };
    },
    'campaigns[0].who',
  ],
  'campaigns[].control': [
    (d) => {
      d.campaigns[0].control = 10;
    },
    'campaigns[0].control',
  ],
  'campaigns[].repeat': [
    (d) => {
      d.campaigns[0].repeat = 'once';
    },
    'campaigns[0].repeat "once"',
  ],
  'campaigns[].repeat.atMost': [
    (d) => {
      d.campaigns[0].repeat = { atMost: 2 };
    },
    'campaigns[0].repeat.atMost',
  ],
  'campaigns[].repeat.every': [
    (d) => {
      d.campaigns[0].repeat = { every: '1d' };
    },
    'campaigns[0].repeat.every',
  ],
  'campaigns[].delay': [
    (d) => {
      d.campaigns[0].delay = '5m';
    },
    'campaigns[0].delay',
  ],
  'campaigns[].quietHours': [
    (d) => {
      d.campaigns[0].quietHours = {};
    },
    'campaigns[0].quietHours',
  ],
  'campaigns[].globalLimits': [
    (d) => {
      d.campaigns[0].globalLimits = true;
    },
    'campaigns[0].globalLimits true',
  ],
  'campaigns[].cap': [
    (d) => {
      d.campaigns[0].cap = { total: 500 };
    },
    'campaigns[0].cap',
  ],
  'campaigns[].schedule.start': [
    (d) => {
      d.campaigns[0].schedule = { start: '2026-01-05T09:00:00Z' };
    },
    'campaigns[0].schedule.start',
  ],
  'campaigns[].schedule.end': [
    (d) => {
      d.campaigns[0].schedule.end = '2026-12-31T00:00:00Z';
    },
    'campaigns[0].schedule.end',
  ],
  'campaigns[].schedule.every': [
    (d) => {
      d.campaigns[0].schedule.every = { week: 'mon' };
    },
    'campaigns[0].schedule.every',
  ],
  'campaigns[].goal': [
    (d) => {
      d.campaigns[0].goal = { event: 'Charged' };
    },
    'campaigns[0].goal',
  ],
  'campaigns[].content.mode': [
    (d) => {
      d.campaigns[0].content.mode = 'custom';
    },
    'campaigns[0].content.mode "custom"',
  ],
  'campaigns[].content.body': [
    (d) => {
      d.campaigns[0].content.body = '{}';
    },
    'campaigns[0].content.body',
  ],
  'campaigns[].content.type': [
    (d) => {
      d.campaigns[0].content.type = 'text';
    },
    'campaigns[0].content.type "text"',
  ],
  'campaigns[].content.payload': [
    (d) => {
      d.campaigns[0].content.payload = 'v2';
    },
    'campaigns[0].content.payload "v2"',
  ],
  'campaigns[].content.onMissing': [
    (d) => {
      d.campaigns[0].content.onMissing = 'fail';
    },
    'campaigns[0].content.onMissing',
  ],
  'campaigns[].content.headers': [
    (d) => {
      d.campaigns[0].content.headers = {};
    },
    'campaigns[0].content.headers',
  ],
  'campaigns[].content.keyValues.*': [
    (d) => {
      d.campaigns[0].content.keyValues = { a: '{% if x %}' };
    },
    'campaigns[0].content.keyValues.a as a template',
  ],
  'campaigns[].content.query.*': [
    (d) => {
      d.campaigns[0].content.query = { a: '{{ x }}' };
    },
    'campaigns[0].content.query.a as a template',
  ],
};

test.each(NOT_BUILT.map(({ path }) => path))(
  'not built: %s is refused by its name, alone',
  (path) => {
    const [change, subject] = uses[path]!;
    try {
      parseDefinitions(changed(change));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(DefinitionsError);
      const { problems } = error as DefinitionsError;
      expect(problems.map(({ message }) => message)).toEqual([`${subject} ${SUFFIX}`]);
      expect(problems[0]!.code).toBe('ERR_NOT_BUILT');
    }
  },
);

test('not built: nothing of it is in a definition that uses all that is', () => {
  expect(() => parseDefinitions(validDefinitions())).not.toThrow();
});

test('version: is that of package.json', () => {
  const file = join(import.meta.dirname, '../../../package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  expect(LAPSE_VERSION).toBe(version);
});
