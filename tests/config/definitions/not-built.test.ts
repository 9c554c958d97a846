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
  'segments[].audience.behaviour': [
    (d) => {
      d.segments[0].audience.behaviour = { did: { event: 'Charged' } };
    },
    'segments[0].audience.behaviour',
  ],
  'campaigns[].who.behaviour': [
    (d) => {
      d.campaigns[0].who.behaviour = { notDid: { event: 'Charged' } };
    },
    'campaigns[0].who.behaviour',
  ],
  lists: [
    (d) => {
      d.lists = [{ id: 'vip', file: 'vip.csv' }];
    },
    'lists',
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
  'campaigns[].schedule.every': [
    (d) => {
      d.campaigns[0].schedule.every = { week: 'mon' };
    },
    'campaigns[0].schedule.every',
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
