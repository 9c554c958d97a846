import { describe, expect, test } from 'vitest';
import { parseDefinitions } from '../../../config/definitions/definitions.ts';
import type { Campaign } from '../../../operators/definitions.ts';
import { compileFilter } from '../../../operators/filters/compile.ts';
import { configurationIn } from './campaign-file.ts';

/** A file of one campaign, with `extra` in its action and `content`. */
function fileOf(options: { where?: string; content?: string; webhook?: string } = {}): string {
  return [
    'webhooks:',
    '  - id: 007',
    '    url: https://hook.example.com/in',
    `    headers: {X-Version: 1.10, X-Flag: TRUE, X-Phone: +4915112345678}`,
    `    ${options.webhook ?? 'auth: {basic: {username: 0123, password: 1e5}}'}`,
    'campaigns:',
    '  - id: 0050',
    '    name: 2026',
    '    webhook: 007',
    '    targetId: 0070',
    `    qualify: {live: {action: {event: 404, where: ${options.where ?? '{}'}}}}`,
    `    content: ${options.content ?? '{}'}`,
    '',
  ].join('\n');
}

function campaignIn(file: string): Campaign {
  return configurationIn(file).definitions.campaigns[0]!;
}

describe('where a text is wanted, the text as it is written counts', () => {
  test('in values that are sent', () => {
    const written =
      '{PromoCode: 0050, Zip: 02142, Phone: +4915112345678, Version: 1.10, Hex: 0x1F, ' +
      'Order: 7615917337495251231, Huge: 123456789012345678901234567890, Yes: TRUE, No: false, ' +
      'Float: 1e3, Plain: 5, Quoted: "0050", Word: soon}';
    const { content } = campaignIn(fileOf({ content: `{keyValues: ${written}, query: {v: 1.0}}` }));
    expect(content.keyValues).toEqual({
      PromoCode: '0050',
      Zip: '02142',
      Phone: '+4915112345678',
      Version: '1.10',
      Hex: '0x1F',
      Order: '7615917337495251231',
      Huge: '123456789012345678901234567890',
      Yes: 'TRUE',
      No: 'false',
      Float: '1e3',
      Plain: '5',
      Quoted: '0050',
      Word: 'soon',
    });
    expect(content.query).toEqual({ v: '1.0' });
  });

  test('in ids, names, events, headers and credentials; a number stays one', () => {
    const { definitions, warnings } = configurationIn(fileOf());
    const [campaign] = definitions.campaigns;
    expect(campaign).toMatchObject({ id: '0050', name: '2026', webhook: '007', targetId: 70 });
    expect(campaign!.rule).toMatchObject({ kind: 'action', on: { event: '404' } });
    const [webhook] = definitions.webhooks;
    expect(webhook).toMatchObject({
      id: '007',
      headers: { 'X-Version': '1.10', 'X-Flag': 'TRUE', 'X-Phone': '+4915112345678' },
      auth: { kind: 'basic', username: '0123', password: '1e5' },
    });
    expect(warnings).toEqual([]);
  });

  test('in the short and the long form of the same', () => {
    const live = (match: string) =>
      fileOf().replace(
        /qualify: .*/,
        `qualify: {live: {inaction: {did: {event: 1}, without: {event: 2.0}, within: 10m, match: ${match}}}}`,
      );
    expect(campaignIn(live('007')).rule).toMatchObject({
      did: { event: '1' },
      without: [{ event: '2.0' }],
      match: { did: '007', without: '007' },
    });
    expect(campaignIn(live('{did: 0x1, without: 2}')).rule).toMatchObject({
      match: { did: '0x1', without: '2' },
    });
  });

  test('in each place of an anchor as that place wants it', () => {
    const text = fileOf({ content: '{keyValues: {a: &zip 02142}}', where: '{zip: *zip}' });
    // An alias comes after its anchor.
    const lines = text.split('\n');
    const qualify = lines.findIndex((line) => line.includes('qualify:'));
    const file = [...lines.slice(0, qualify), lines[qualify + 1], lines[qualify], ''].join('\n');
    const { definitions, warnings } = configurationIn(file);
    expect(definitions.campaigns[0]!.content.keyValues).toEqual({ a: '02142' });
    expect(warnings).toHaveLength(1);
  });
});

describe('where both can be meant', () => {
  test.each([
    ['{zip: 02142}', 'zip', '2142', '02142'],
    ['{zip: {eq: 02142}}', 'zip.eq', '2142', '02142'],
    ['{zip: {in: [1, 02142]}}', 'zip.in[1]', '2142', '02142'],
    ['{any: [{a: 1}, {not: {v: 1.10}}]}', 'any[1].not.v', '1.1', '1.10'],
    ['{property: zip, op: eq, value: 02142}', 'value', '2142', '02142'],
    ['{phone: +4915112345678}', 'phone', '4915112345678', '+4915112345678'],
    ['{n: 1e3}', 'n', '1000', '1e3'],
  ])('%s is taken as a number, with a warning', (where, below, number, text) => {
    const { warnings } = configurationIn(fileOf({ where }));
    const path = `campaigns[0].qualify.live.action.where.${below}`;
    const message = `${path} is taken as the number ${number}; write "${text}", in quotes, if a text is meant`;
    expect(warnings).toMatchObject([{ path, message, code: 'ERR_AMBIGUOUS_VALUE', line: 11 }]);
  });

  test.each([
    '{zip: "02142", n: 5, m: -1.5, big: 7615917337495251231, b: TRUE, s: x}',
    // Numbers and texts of digits compare alike.
    '{n: {gte: 020, lt: 1.50, between: [01, 1e3]}, bucket: {lt: 100}}',
    '{n: {exists: true}, s: {startsWith: 0050}, d: {after: 2026-01-05}}',
  ])('%s has no other meaning', (where) => {
    expect(configurationIn(fileOf({ where })).warnings).toEqual([]);
  });

  test('a large whole number of a filter keeps every digit', () => {
    const where = '{n: 7615917337495251231, m: {in: [9007199254740993]}, t: {startsWith: 0050}}';
    const { on } = campaignIn(fileOf({ where })).rule as {
      on: { where: never };
    } & Campaign['rule'];
    const holds = compileFilter(JSON.parse(JSON.stringify(on.where)));
    const context = { nowMs: 0, userBucket: 0, timezone: 'UTC' };
    const properties = { n: 7_615_917_337_495_251_231n, m: 9_007_199_254_740_993n, t: '0050x' };
    expect(holds({ ...context, properties })).toBe(true);
    for (const other of [{ n: properties.n - 1n }, { m: properties.m - 1n }, { t: '50' }]) {
      expect(holds({ ...context, properties: { ...properties, ...other } })).toBe(false);
    }
  });
});

describe('lone surrogates', () => {
  test('become U+FFFD, as they do in events, with a warning', () => {
    const where = '{"a\\ud83d": "\\ude00", b: "\\ud83d\\ude00"}';
    const { definitions, warnings } = configurationIn(fileOf({ where }));
    expect(JSON.stringify(definitions)).not.toContain('\\ud83d');
    expect(definitions.campaigns[0]!.rule).toMatchObject({
      on: {
        where: {
          all: [
            { property: 'a\ufffd', value: '\ufffd' },
            { property: 'b', value: '😀' },
          ],
        },
      },
    });
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('half a character (a lone surrogate), which is taken as U+FFFD'),
      expect.stringContaining('half a character (a lone surrogate), which is taken as U+FFFD'),
    ]);
  });
});

test('a value that was parsed already has no other text than its own', () => {
  const webhook = { id: 'w', url: 'https://hook.example.com/in' };
  const campaign = {
    id: 'c',
    webhook: 'w',
    qualify: { live: { action: { event: 'V' } } },
    content: { keyValues: { a: 50, b: 7_615_917_337_495_251_231n, c: true } },
  };
  const { campaigns } = parseDefinitions({ webhooks: [webhook], campaigns: [campaign] });
  const keyValues = { a: '50', b: '7615917337495251231', c: 'true' };
  expect(campaigns[0]!.content.keyValues).toEqual(keyValues);
});
