// biome-ignore-all lint/suspicious/noThenProperty: the word of the language; its value is a text.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so do files name variables.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import {
  loadConfiguration,
  loadDefinitions,
  parseDefinitions,
} from '../../../config/definitions/definitions.ts';
import { DefinitionsError } from '../../../config/definitions/problem.ts';
import { campaignLimits, RETRY_SCHEDULE_MS, webhookLimits } from '../../../config/limits.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../engine/time/duration.ts';
import { DEFAULT_SETTINGS } from '../../../operators/definitions.ts';
import { gateShape } from '../../../operators/gates/schemas.ts';
import { inactionLimits } from '../../../operators/rules/inaction/schema.ts';
import { RULE_FORMS } from '../../../operators/rules/schemas.ts';
import { CAMPAIGN_DEFAULTS } from '../../support/campaign-defaults.ts';
import { type Loose, validDefinitions } from './valid.ts';

function problemsOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(DefinitionsError);
    const { problems, message, code, domain } = error as DefinitionsError;
    expect({ code, domain }).toEqual({ code: 'ERR_DEFINITIONS', domain: 'user' });
    expect(message).toBe(problems.map((one) => `${one.file}: ${one.message}`).join('\n'));
    return message.replaceAll(folder, 'DIR').split('\n');
  }
  return [];
}

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-definitions-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function put(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const WEBHOOK = 'webhooks: [{id: crm, url: "https://crm.example.com/"}]\n';
const CAMPAIGN = 'campaigns: [{id: c, webhook: crm, qualify: {live: {action: {event: Login}}}}]\n';

describe('parseDefinitions', () => {
  test('makes plain data with durations in ms, for all that can be written', () => {
    const definitions = parseDefinitions(validDefinitions());
    expect(JSON.parse(JSON.stringify(definitions))).toEqual(definitions);
    expect(definitions.settings).toEqual({
      timezone: 'Asia/Kolkata',
      globalLimits: [
        { kind: 'atMost', atMost: 3, perMs: DAY_MS },
        { kind: 'gap', gapMs: 15 * MINUTE_MS },
      ],
      controlGroups: { system: 3, custom: { 'holdout-2026': 5 } },
      historyRetentionMs: 30 * DAY_MS,
    });
    expect(definitions.segments).toEqual([
      {
        id: 'us',
        name: 'In the US',
        audience: {
          where: { property: 'country', op: 'eq', value: 'US' },
          include: [],
          exclude: [],
        },
      },
      { id: 'us-staff', name: 'us-staff', audience: { include: ['us'], exclude: ['guests'] } },
      { id: 'guests', name: 'guests', audience: { include: [], exclude: [] } },
    ]);
    expect(definitions.webhooks).toEqual([
      {
        id: 'crm',
        url: 'https://crm.example.com/hooks/lapse?source=1',
        method: 'PUT',
        headers: { 'X-Team': 'growth' },
        auth: { kind: 'basic', username: 'lapse', password: 'secret' },
        rate: { limit: 300, perMs: MINUTE_MS, burst: 10 },
        maxInFlight: 8,
        batch: { max: 50, lingerMs: 20 },
        timeoutMs: 2 * SECOND_MS,
        retryScheduleMs: [SECOND_MS, MINUTE_MS],
        secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
        success: '200',
      },
    ]);
    expect(definitions.campaigns[0]).toEqual({
      id: 'cart-abandoned',
      name: 'Cart abandoned',
      targetId: 1472124953,
      webhook: 'crm',
      state: 'draft',
      labels: ['cart', 'autumn'],
      who: {
        where: { property: 'email', op: 'exists', value: true },
        include: ['us'],
        exclude: ['us-staff'],
        recheck: true,
      },
      control: { percent: 10, custom: ['holdout-2026'] },
      repeat: { kind: 'every', everyMs: DAY_MS },
      delayMs: 5 * MINUTE_MS,
      quietHours: {
        windows: [
          { days: [1, 5], fromMinute: 22 * 60, toMinute: 8 * 60 },
          { days: [1, 2, 3, 4, 5, 6, 7], fromMinute: 12 * 60 + 30, toMinute: 13 * 60 },
        ],
        timezone: 'account',
        then: 'discard',
      },
      globalLimits: false,
      cap: { total: 500, perDay: 100 },
      schedule: {
        startAtMs: Date.UTC(2026, 0, 5, 9),
        endAtMs: Date.UTC(2026, 11, 31, 23, 59, 59),
      },
      suppressIfDone: false,
      goal: {
        on: { event: 'Charged', where: { property: 'amount', op: 'gt', value: 0 } },
        withinMs: 3 * DAY_MS,
        revenue: 'order.amount',
      },
      onOpenWindows: 'drop',
      rule: {
        kind: 'inaction',
        did: {
          event: 'Added To Cart',
          where: { property: 'price', op: 'gte', value: 20 },
        },
        without: [
          { event: 'Charged' },
          { event: 'Cart Emptied', where: { property: 'by', op: 'eq', value: 'user' } },
        ],
        withinMs: 10 * MINUTE_MS,
        match: { did: 'cart_id', without: 'order_cart_id' },
        onRepeat: 'keepFirst',
        graceMs: 2 * MINUTE_MS,
        maxExtendMs: 30 * MINUTE_MS,
      },
      ttlMs: 30 * MINUTE_MS,
      content: {
        mode: 'variables',
        type: 'json',
        fields: ['email', 'profileData'],
        keyValues: { PromoCode: 'MT50', PowerUser: 'true', Level: '3' },
        query: { source: 'lapse' },
      },
    });
  });

  test('makes a rule of each kind', () => {
    const rules = parseDefinitions(validDefinitions()).campaigns.map(({ rule }) => rule);
    const where = (property: string, value: unknown) => ({ property, op: 'eq', value });
    expect(rules.slice(1)).toEqual([
      { kind: 'action', on: { event: 'Login' } },
      {
        kind: 'sequence',
        steps: [{ event: 'Signed Up', where: where('plan', 'pro') }, { event: 'Login' }],
        withinMs: DAY_MS,
        match: 'device.id',
      },
      {
        kind: 'count',
        on: { event: 'Viewed', where: where('n', 1) },
        atLeast: 3,
        withinMs: 10 * MINUTE_MS,
        match: 'sku',
      },
      {
        kind: 'count',
        on: { event: 'Charged' },
        sum: { property: 'amount', gte: 99.5 },
        withinMs: 7 * DAY_MS,
      },
      {
        kind: 'quiet',
        on: { event: 'Opened', where: where('app', 'main') },
        forMs: 3 * DAY_MS,
      },
      {
        kind: 'date',
        property: 'birthday',
        offset: { days: -1, ms: -12 * HOUR_MS },
        atMinute: 9 * 60 + 30,
        yearly: true,
      },
      {
        kind: 'date',
        on: { event: 'Booked', where: where('kind', 'visit') },
        property: 'at',
        offset: { days: 0, ms: 2 * HOUR_MS },
        yearly: false,
      },
    ]);
  });

  test('fills in defaults, when little is written', () => {
    const live = {
      inaction: { did: { event: 'A' }, without: { event: 'B' }, within: '10m', match: 'id' },
    };
    const definitions = parseDefinitions({
      webhooks: [{ id: 'hook', url: 'http://127.0.0.1:9000/in', auth: { bearer: 'abc' } }],
      campaigns: [{ id: 'c', webhook: 'hook', qualify: { live } }],
    });
    expect(definitions).toEqual({
      settings: DEFAULT_SETTINGS,
      segments: [],
      webhooks: [
        {
          id: 'hook',
          url: 'http://127.0.0.1:9000/in',
          method: 'POST',
          headers: {},
          auth: { kind: 'bearer', token: 'abc' },
          maxInFlight: webhookLimits.maxInFlight.default,
          batch: {
            max: webhookLimits.batchMax.default,
            lingerMs: webhookLimits.batchLingerMs.default,
          },
          timeoutMs: webhookLimits.timeoutMs.default,
          retryScheduleMs: RETRY_SCHEDULE_MS,
          success: '2xx',
        },
      ],
      campaigns: [
        {
          id: 'c',
          name: 'c',
          targetId: expect.any(Number),
          webhook: 'hook',
          state: 'running',
          ...CAMPAIGN_DEFAULTS,
          rule: {
            kind: 'inaction',
            did: { event: 'A' },
            without: [{ event: 'B' }],
            withinMs: 10 * MINUTE_MS,
            match: { did: 'id', without: 'id' },
            onRepeat: 'restart',
            graceMs: 0,
            maxExtendMs: 10 * MINUTE_MS * inactionLimits.maxExtendFactor.default,
          },
          ttlMs: campaignLimits.ttlMs.default,
          content: {
            mode: 'variables',
            type: 'json',
            fields: [
              'email',
              'identity',
              'objectId',
              'profileData',
              'eventProperties',
              'pushToken',
            ],
            keyValues: {},
            query: {},
          },
        },
      ],
    });
  });

  test('derives targetId from the id alone: positive, 31 bits, the same every time', () => {
    const campaign = (id: string) => ({
      id,
      webhook: 'crm',
      qualify: { live: { action: { event: 'Login' } } },
    });
    const webhooks = [{ id: 'crm', url: 'https://a.example' }];
    const ids = Array.from({ length: 200 }, (_, n) => `campaign-${n}`);
    const { campaigns } = parseDefinitions({ webhooks, campaigns: ids.map(campaign) });
    const again = parseDefinitions({ webhooks, campaigns: [campaign(ids[7]!)] }).campaigns[0]!;
    expect(again.targetId).toBe(campaigns[7]!.targetId);
    expect(new Set(campaigns.map(({ targetId }) => targetId)).size).toBe(ids.length);
    for (const { targetId } of campaigns) {
      expect(Number.isInteger(targetId) && targetId >= 1 && targetId < 2 ** 31).toBe(true);
    }
  });

  test('leaves the value alone', () => {
    const value = Object.freeze({ webhooks: Object.freeze([]), lists: [] });
    expect(problemsOf(() => parseDefinitions(value))).toHaveLength(1);
    expect(value).toEqual({ webhooks: [], lists: [] });
  });

  test.each<[string, unknown, string]>([
    [
      'nothing',
      null,
      'the file must have at least one of settings, webhooks, segments, campaigns, nats, server, data, egress, engine, limits, got an empty file',
    ],
    ['a list', [], 'the file must be a mapping, got an empty list'],
    ['a text', 'a', 'the file must be a mapping, got "a"'],
  ])('refuses %s at the top', (_, value, message) => {
    expect(problemsOf(() => parseDefinitions(value))).toEqual([`-: ${message}`]);
  });
});

describe('loadDefinitions', () => {
  test('merges files and folders, YAML and JSON, and reads each once', () => {
    put('a/hooks.yml', WEBHOOK);
    put(
      'a/b/campaign.json',
      `{\n\t"campaigns": [{"id": "c", "webhook": "crm", "qualify": {"live": {"action": {"event": "Login"}}}}]\n}`,
    );
    put('a/notes.txt', 'not: read');
    put('a/.hidden.yaml', 'not: read');
    put('a/lapse.schema.json', '{"not": "read"}');
    const settings = put('settings.yaml', 'settings: {timezone: Europe/Berlin}\n');
    const definitions = loadDefinitions([folder, join(folder, 'a'), settings], {});
    expect(definitions.settings.timezone).toBe('Europe/Berlin');
    expect(definitions.webhooks.map(({ id }) => id)).toEqual(['crm']);
    expect(definitions.campaigns.map(({ id }) => id)).toEqual(['c']);
  });

  test('gives empty definitions, when there are no paths', () => {
    const empty = { settings: DEFAULT_SETTINGS, webhooks: [], segments: [], campaigns: [] };
    expect(loadDefinitions([], {})).toEqual(empty);
  });

  test('takes ${NAME} from the environment as text, whatever is in it', () => {
    const path = put(
      'hook.yaml',
      'webhooks: [{id: crm, url: "https://${HOST}/in", maxInFlight: "${N}", headers: {X-A: "a ${A} $${A}"}, auth: {bearer: "${TOKEN}"}}]',
    );
    const env = { HOST: 'crm.example.com', N: '12', A: '"}: # ${HOST}', TOKEN: '12345' };
    const [webhook] = loadDefinitions([path], env).webhooks;
    expect(webhook).toMatchObject({
      url: 'https://crm.example.com/in',
      maxInFlight: 12,
      headers: { 'X-A': 'a "}: # ${HOST} ${A}' },
      auth: { kind: 'bearer', token: '12345' },
    });
  });

  test('names the variable and the path once, when a variable is not set', () => {
    const path = put('hook.yaml', 'webhooks: [{id: crm, url: "${CRM_URL}"}]');
    expect(problemsOf(() => loadDefinitions([path], {}))).toEqual([
      'DIR/hook.yaml: webhooks[0].url must be given the environment variable CRM_URL, got nothing: it is not set',
    ]);
    const inherited = put('inherited.yaml', 'webhooks: [{id: crm, url: "${constructor}"}]');
    expect(problemsOf(() => loadDefinitions([inherited], {}))).toHaveLength(1);
  });

  test.each([
    [
      '',
      'the file must have at least one of settings, webhooks, segments, campaigns, nats, server, data, egress, engine, limits, got an empty file',
    ],
    [
      '# nothing\n',
      'the file must have at least one of settings, webhooks, segments, campaigns, nats, server, data, egress, engine, limits, got an empty file',
    ],
    [
      'a: [1\nb: 2',
      'the file must be one YAML document, got an error at line 2, column 1: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    [
      'data: a\ndata: b\n',
      'the file must be one YAML document, got an error at line 2, column 1: Map keys must be unique',
    ],
    [
      'data: a\n---\ndata: b\n',
      'the file must be one YAML document, got an error at line 2, column 1: a second document begins',
    ],
    [
      'data: !path x\n',
      'the file must be one YAML document, got an error at line 1, column 7: a text that begins with ! must be in quotes',
    ],
    [
      'data: *x\n',
      'the file must be one YAML document, got an error: Unresolved alias (the anchor must be set before the alias)',
    ],
    ['- a\n', 'the file must be a mapping, got a list of 1'],
    ['__proto__: {a: 1}\n', '__proto__ must be under another name, got a mapping of a'],
    ['campaigns: &a [*a]\n', null],
  ])('refuses the file %j', (text, message) => {
    const path = put('bad.yaml', text);
    const problems = problemsOf(() => loadDefinitions([path], {}));
    if (message === null) expect(problems.length).toBeGreaterThan(0);
    else expect(problems).toEqual([`DIR/bad.yaml: ${message}`]);
  });

  test('refuses files that cannot be read and folders without any, all in one error', () => {
    mkdirSync(join(folder, 'empty'));
    const bytes = join(folder, 'latin1.yaml');
    writeFileSync(bytes, Buffer.from([0x61, 0xff]));
    const paths = [join(folder, 'gone.yaml'), join(folder, 'empty'), bytes];
    expect(problemsOf(() => loadDefinitions(paths, {}))).toEqual([
      'DIR/gone.yaml: the file must be readable, got an error: there is no such file or folder',
      'DIR/empty: the folder must hold files ending in .yaml, .yml, .json, got none',
      expect.stringMatching(/^DIR\/latin1.yaml: the file must be readable, got an error: .*utf-8/),
    ]);
  });

  test('names both files, when an id or a setting is given twice', () => {
    const one = put('one.yaml', `${WEBHOOK}settings: {timezone: UTC}\n${CAMPAIGN}`);
    const two = put('two.yaml', `${WEBHOOK}settings: {timezone: UTC}\n${CAMPAIGN}`);
    expect(problemsOf(() => loadDefinitions([one, two], {}))).toEqual([
      'DIR/two.yaml: webhooks[0].id must be given once, got "crm", which DIR/one.yaml has at webhooks[0].id',
      'DIR/two.yaml: campaigns[0].id must be given once, got "c", which DIR/one.yaml has at campaigns[0].id',
      'DIR/two.yaml: settings.timezone must be in one file, got it in DIR/one.yaml too',
    ]);
  });

  test('says nothing of missing webhooks, when a file that may hold them is broken', () => {
    const good = put('campaign.yaml', CAMPAIGN);
    const bad = put('hooks.yaml', 'webhooks: [');
    expect(
      problemsOf(() => loadDefinitions([good, bad], {})).every((one) =>
        one.startsWith('DIR/hooks.yaml: the file must be one YAML document'),
      ),
    ).toBe(true);
    const wrong = put('hooks.yaml', 'webhooks: [{id: crm, url: soon}]');
    expect(problemsOf(() => loadDefinitions([good, wrong], {}))).toEqual([
      'DIR/hooks.yaml: webhooks[0].url must be an http or https URL without user name, password and fragment, got "soon"',
    ]);
  });

  test('takes paths in a file from the folder of the file', () => {
    const path = put(
      'conf/settings.yaml',
      'data: ../state\nnats: {url: "nats://n:4222", creds: /etc/n.creds}\n',
    );
    expect(loadConfiguration([path], {}).runtime).toEqual({
      data: join(folder, 'state'),
      'nats.url': 'nats://n:4222',
      'nats.creds': '/etc/n.creds',
    });
  });

  describe('the examples', () => {
    const folder = join(import.meta.dirname, '../../../config/examples');

    test('are accepted one by one and all together', () => {
      for (const name of readdirSync(folder)) loadConfiguration([join(folder, name)], {});
      loadConfiguration([folder], {});
    });

    test('show every kind of rule and every key of a gate', () => {
      const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
      const campaigns = texts.flatMap((text): Loose[] => parseYaml(text).campaigns ?? []);
      const kinds = campaigns.flatMap(({ qualify }) => Object.keys(qualify.live));
      expect(new Set(kinds)).toEqual(new Set(Object.keys(RULE_FORMS)));
      const keys = new Set(campaigns.flatMap((campaign) => Object.keys(campaign)));
      expect(Object.keys(gateShape).filter((key) => !keys.has(key))).toEqual([]);
    });
  });
});
