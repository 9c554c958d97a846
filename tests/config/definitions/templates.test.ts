import { expect, test } from 'vitest';
import { parseDefinitions } from '../../../config/definitions/definitions.ts';
import { DefinitionsError } from '../../../config/definitions/problem.ts';
import { changed, type Loose } from './valid.ts';

const BODY = 'campaigns[0].content.body';
const RENDERED = 'must be a template that can be rendered, got';

function custom(content: object): (d: Loose) => void {
  return (d) => {
    d.campaigns[0].content = { mode: 'custom', ...content };
  };
}

function webhook(change: object): (d: Loose) => void {
  return (d) => {
    Object.assign(d.webhooks[0], change);
  };
}

function problemsOf(change: (d: Loose) => void) {
  try {
    parseDefinitions(changed(change));
  } catch (error) {
    expect(error).toBeInstanceOf(DefinitionsError);
    return (error as DefinitionsError).problems;
  }
  return [];
}

test.each<[string, (d: Loose) => void, string]>([
  [
    'an unknown filter',
    custom({ body: '{\n"a": "{{ Profile.a | nope }}"}' }),
    `${BODY} ${RENDERED} undefined filter: nope (line 2, column 7)`,
  ],
  [
    'an unknown tag',
    custom({ type: 'text', body: 'a {% include "x" %}' }),
    `${BODY} ${RENDERED} tag "include" not found (line 1, column 3)`,
  ],
  [
    'an unknown name',
    custom({ type: 'text', body: '{{ Evnt.a }}' }),
    `${BODY} ${RENDERED} unknown name: Evnt (known: Profile, Event, Campaign, KeyValues) (line 1, column 4)`,
  ],
  [
    'a query parameter',
    (d) => {
      d.campaigns[0].content.query = { q: '{{ process.env }}' };
    },
    `campaigns[0].content.query.q ${RENDERED} unknown name: process (known: Profile, Event, Campaign, KeyValues) (line 1, column 4)`,
  ],
  [
    'a header of a webhook',
    webhook({ headers: { 'X-A': '{{ Profile.a' } }),
    `webhooks[0].headers.X-A ${RENDERED} output "{{ Profile.a" not closed (line 1, column 1)`,
  ],
])('templates: %s is refused with the line and column within the template', (_, change, wanted) => {
  const problems = problemsOf(change);
  expect(problems.map(({ message }) => message)).toEqual([wanted]);
  expect(problems[0]!.code).toBe('ERR_TEMPLATE');
});

test.each<[string, (d: Loose) => void, string]>([
  ['no body in mode custom', custom({}), `${BODY} must be a template in mode custom, got nothing`],
  [
    'a body in mode variables',
    (d) => {
      d.campaigns[0].content.body = '{}';
    },
    `${BODY} must be left out unless mode is custom, got "{}"`,
  ],
  [
    'a text in mode variables',
    (d) => {
      d.campaigns[0].content.type = 'text';
    },
    'campaigns[0].content.type must be json unless mode is custom, got "text"',
  ],
  ...[
    'https://{{ Profile.h }}/x',
    'https://h.test:{{ Profile.p }}/x',
    'https://a.{{ Event.x }}',
  ].map((url): [string, (d: Loose) => void, string] => [
    url,
    webhook({ url }),
    `webhooks[0].url must be a URL whose scheme, host and port are no template, got "${url}"`,
  ]),
  [
    'a header that Lapse sets',
    custom({ body: '{}', headers: { 'Webhook-Id': 'x' } }),
    'campaigns[0].content.headers.Webhook-Id must be left out (Lapse sets this header itself), got a hidden text of length 1',
  ],
])('content: %s is refused', (_, change, wanted) => {
  expect(problemsOf(change).map(({ message }) => message)).toEqual([wanted]);
});

test('templates: are taken in every place that may have them', () => {
  const { webhooks, campaigns } = parseDefinitions(
    changed((d) => {
      d.webhooks[0].url = 'https://h.test/u/{{ Profile.id | default: "a/b" }}?s={{ Event.s }}';
      d.webhooks[0].headers = { 'X-A': '{{ Profile.a }}' };
      d.campaigns[0].content = {
        ...{ mode: 'custom', type: 'text', body: '{{ KeyValues.k }}', onMissing: 'fail' },
        ...{ keyValues: { k: '{{ Event.k }}' }, query: { q: '{{ Campaign.name }}' } },
        headers: { 'X-B': '{{ Profile.b }}' },
      };
    }),
  );
  expect(webhooks[0]!.url).toContain('{{ Profile.id');
  expect(campaigns[0]!.content).toMatchObject({
    ...{ mode: 'custom', type: 'text', body: '{{ KeyValues.k }}', onMissing: 'fail' },
    headers: { 'X-B': '{{ Profile.b }}' },
  });
});
