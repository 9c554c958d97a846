// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so do files name variables.
import { expect, test } from 'vitest';
import { parseDefinitions } from '../../../config/definitions/definitions.ts';
import type { DefinitionsError } from '../../../config/definitions/problem.ts';
import { changed, type Loose } from './valid.ts';

function messages(value: unknown): string[] {
  try {
    parseDefinitions(value);
  } catch (error) {
    return (error as DefinitionsError).problems.map(({ message }) => message);
  }
  return [];
}

const ID = 'an id of 1 to 64 letters, digits, - or _';
const URL_WANTED = 'an http or https URL without user name, password and fragment';
const SECRET = 'whsec_ and the base64 of 24 to 64 bytes';
const LIVE = 'campaigns[0].qualify.live';
const INACTION = `${LIVE}.inaction`;
const EVENT = 'the name of an event';
const KINDS = 'action, inaction, sequence, count, quiet, date';

type Change = (definitions: Loose) => void;
const inaction =
  (change: Change): Change =>
  (d) =>
    change(d.campaigns[0].qualify.live.inaction);
const webhook =
  (change: Change): Change =>
  (d) =>
    change(d.webhooks[0]);
const campaign =
  (change: Change): Change =>
  (d) =>
    change(d.campaigns[0]);

test.each<[string, Change]>([
  [
    'settings.timezone must be the IANA name of a time zone, like Asia/Kolkata, got "Mars"',
    (d) => {
      d.settings.timezone = 'Mars';
    },
  ],
  [
    'webhook must be a known key (did you mean "webhooks"?), got "webhook"',
    (d) => {
      d.webhook = [];
    },
  ],
  [
    'zebra must be one of the known keys settings, webhooks, segments, campaigns, nats, server, data, egress, engine, limits, got "zebra"',
    (d) => {
      d.zebra = 1;
    },
  ],
  [
    'campaigns must be a list, got a mapping of id',
    (d) => {
      d.campaigns = { id: 'c' };
    },
  ],
  [
    'campaigns[0] must be a mapping, got "cart"',
    (d) => {
      d.campaigns[0] = 'cart';
    },
  ],
  [
    `webhooks[0].url must be ${URL_WANTED}, got "ftp://crm.example.com"`,
    webhook((w) => {
      w.url = 'ftp://crm.example.com';
    }),
  ],
  [
    `webhooks[0].url must be ${URL_WANTED}, got "https://***@crm.example.com"`,
    webhook((w) => {
      w.url = 'https://u:p@crm.example.com';
    }),
  ],
  [
    `webhooks[0].url must be ${URL_WANTED}, got "https:crm"`,
    webhook((w) => {
      w.url = 'https:crm';
    }),
  ],
  [
    `webhooks[0].url must be ${URL_WANTED}, got nothing`,
    webhook((w) => {
      delete w.url;
    }),
  ],
  [
    'webhooks[0].method must be GET, POST, PUT, PATCH or DELETE, got "post"',
    webhook((w) => {
      w.method = 'post';
    }),
  ],
  [
    'webhooks[0].headers["X A"] must be under the name of an HTTP header, got a hidden text of length 1',
    webhook((w) => {
      w.headers = { 'X A': '1' };
    }),
  ],
  [
    'webhooks[0].headers.Host must be left out (Lapse sets this header itself), got a hidden text of length 1',
    webhook((w) => {
      w.headers = { Host: 'x' };
    }),
  ],
  [
    'webhooks[0].headers.x-a must be given once (header names ignore case), got a hidden text of length 1',
    webhook((w) => {
      w.headers = { 'X-A': '1', 'x-a': '2' };
    }),
  ],
  [
    'webhooks[0].headers.X-A must be a text of at most 4096 Latin-1 characters without line ends, got a hidden text of length 3',
    webhook((w) => {
      w.headers = { 'X-A': 'a\nb' };
    }),
  ],
  [
    'webhooks[0].headers.Authorization must be left out beside auth, which sets it, got a hidden text of length 1',
    webhook((w) => {
      w.headers = { Authorization: 'x' };
    }),
  ],
  [
    'webhooks[0].auth must be a mapping with exactly one of basic, bearer, got an empty mapping',
    webhook((w) => {
      w.auth = {};
    }),
  ],
  [
    'webhooks[0].auth must be a mapping with exactly one of basic, bearer, got a mapping of basic, bearer',
    webhook((w) => {
      w.auth.bearer = 'x';
    }),
  ],
  [
    'webhooks[0].auth.basic.password must be a text without line ends, got nothing',
    webhook((w) => {
      delete w.auth.basic.password;
    }),
  ],
  [
    'webhooks[0].auth.bearer must be a token of visible characters, got a hidden text of length 3',
    webhook((w) => {
      w.auth = { bearer: 'a b' };
    }),
  ],
  [
    'webhooks[0].rate.per must be a duration between 1ms and 1d, got 60',
    webhook((w) => {
      w.rate.per = 60;
    }),
  ],
  [
    'webhooks[0].rate.limit must be a whole number between 1 and 1000000, got 0',
    webhook((w) => {
      w.rate.limit = 0;
    }),
  ],
  [
    'webhooks[0].maxInFlight must be a whole number between 1 and 1024, got 1.5',
    webhook((w) => {
      w.maxInFlight = 1.5;
    }),
  ],
  [
    'webhooks[0].batch.linger must be a duration between 0s and 10s, got "11s"',
    webhook((w) => {
      w.batch.linger = '11s';
    }),
  ],
  [
    'webhooks[0].timeout must be a duration between 1ms and 5m, got null',
    webhook((w) => {
      w.timeout = null;
    }),
  ],
  [
    'webhooks[0].retry must be a list of 1 to 20 durations, got an empty list',
    webhook((w) => {
      w.retry = [];
    }),
  ],
  [
    'webhooks[0].retry[1] must be a duration between 1ms and 1d, got "soon"',
    webhook((w) => {
      w.retry = ['1s', 'soon'];
    }),
  ],
  [
    `webhooks[0].secret must be ${SECRET}, got a hidden text of length 10`,
    webhook((w) => {
      w.secret = 'whsec_AAAA';
    }),
  ],
  [
    `webhooks[0].secret must be ${SECRET}, got a hidden text of length 40`,
    webhook((w) => {
      w.secret = `whsec_${'!'.repeat(34)}`;
    }),
  ],
  [
    'webhooks[0].success must be 2xx or 200, got 204',
    webhook((w) => {
      w.success = 204;
    }),
  ],
  [
    `campaigns[0].id must be ${ID}, got "a b"`,
    campaign((c) => {
      c.id = 'a b';
    }),
  ],
  [
    'campaigns[0].name must be a text of 1 to 200 characters, got ""',
    campaign((c) => {
      c.name = '';
    }),
  ],
  [
    'campaigns[0].targetId must be a whole number between 1 and 9007199254740991, got -1',
    campaign((c) => {
      c.targetId = -1;
    }),
  ],
  [
    'campaigns[1].targetId must be a number of its own, got 1472124953, which "cart-abandoned" has',
    (d) => {
      d.campaigns[1].targetId = 1472124953;
    },
  ],
  [
    'campaigns[0].webhook must be the id of a webhook (crm), got "cmr"; did you mean "crm"?',
    campaign((c) => {
      c.webhook = 'cmr';
    }),
  ],
  [
    'campaigns[0].webhook must be the id of a webhook (crm), got "billing"',
    campaign((c) => {
      c.webhook = 'billing';
    }),
  ],
  [
    'campaigns[0].state must be draft or running, got "paused"',
    campaign((c) => {
      c.state = 'paused';
    }),
  ],
  [
    'campaigns[0].qualify must be a mapping, got nothing',
    campaign((c) => {
      delete c.qualify;
    }),
  ],
  [
    'campaigns[0].qualify must be a mapping with live, got an empty mapping',
    campaign((c) => {
      c.qualify = {};
    }),
  ],
  [
    `${LIVE} must be a mapping with exactly one of ${KINDS}, got an empty mapping`,
    campaign((c) => {
      c.qualify.live = {};
    }),
  ],
  [
    `${LIVE} must be a mapping with exactly one of ${KINDS}, got a mapping of inaction, action`,
    campaign((c) => {
      c.qualify.live.action = { event: 'x' };
    }),
  ],
  [
    `${LIVE}.inactoin must be a known key (did you mean "inaction"?), got "inactoin"`,
    campaign((c) => {
      c.qualify.live.inactoin = {};
    }),
  ],
  [
    `${INACTION}.within must be a duration between 1s and 182d, got "soon"`,
    inaction((i) => {
      i.within = 'soon';
    }),
  ],
  [
    `${INACTION}.within must be a duration between 1s and 182d, got "183d"`,
    inaction((i) => {
      i.within = '183d';
      i.maxExtend = '183d';
    }),
  ],
  [
    `${INACTION}.did.event must be ${EVENT}, got ""`,
    inaction((i) => {
      i.did.event = '';
    }),
  ],
  [
    `${INACTION}.without.event must be ${EVENT}, got 3`,
    inaction((i) => {
      i.without = { event: 3 };
    }),
  ],
  [
    `${INACTION}.without[1].event must be ${EVENT}, got nothing`,
    inaction((i) => {
      delete i.without[1].event;
    }),
  ],
  [
    `${INACTION}.without must be one event or a list of 1 to 25, got an empty list`,
    inaction((i) => {
      i.without = [];
    }),
  ],
  [
    `${INACTION}.without must be one event or a list of 1 to 25, got nothing`,
    inaction((i) => {
      delete i.without;
    }),
  ],
  [
    `${INACTION}.match must be the name of a property, got ""`,
    inaction((i) => {
      i.match = '';
    }),
  ],
  [
    `${INACTION}.match.without must be the name of a property, got nothing`,
    inaction((i) => {
      delete i.match.without;
    }),
  ],
  [
    `${INACTION}.onRepeat must be restart, keepFirst or parallel, got "again"`,
    inaction((i) => {
      i.onRepeat = 'again';
    }),
  ],
  [
    `${INACTION}.grace must be a duration between 0s and 1h, got "2h"`,
    inaction((i) => {
      i.grace = '2h';
    }),
  ],
  [
    `${INACTION}.maxExtend must be at least as long as within, got "5m"`,
    inaction((i) => {
      i.maxExtend = '5m';
    }),
  ],
  [
    `${INACTION}.did.where.price.gtt must be an operator (did you mean "gt"?), got "gtt"`,
    inaction((i) => {
      i.did.where = { price: { gtt: 3 } };
    }),
  ],
  [
    `${INACTION}.did.where must be a mapping of conditions, got null`,
    inaction((i) => {
      i.did.where = null;
    }),
  ],
  [
    'campaigns[0].quietHour must be a known key (did you mean "quietHours"?), got "quietHour"',
    campaign((c) => {
      c.quietHour = {};
    }),
  ],
  [
    'campaigns[0].repeat must be each, once, {atMost: N} or {every: D}, got "twice"',
    campaign((c) => {
      c.repeat = 'twice';
    }),
  ],
  [
    'campaigns[0].globalLimits must be true or false, got "yes"',
    campaign((c) => {
      c.globalLimits = 'yes';
    }),
  ],
  [
    'campaigns[0].ttl must be a duration between 1s and 30d, got "0s"',
    campaign((c) => {
      c.ttl = '0s';
    }),
  ],
  [
    'campaigns[0].content.fields[0] must be email, identity, objectId, profileData, eventProperties or pushToken, got "Email"',
    campaign((c) => {
      c.content.fields = ['Email'];
    }),
  ],
  [
    'campaigns[0].content.keyValues.a must be a text of at most 2048 characters, a number, true or false, got an empty list',
    campaign((c) => {
      c.content.keyValues = { a: [] };
    }),
  ],
  [
    'campaigns[0].content.query must be a mapping, got "a=b"',
    campaign((c) => {
      c.content.query = 'a=b';
    }),
  ],
  [
    'engine.workers must be a whole number between 1 and 256, got "many"',
    (d) => {
      d.engine.workers = 'many';
    },
  ],
  [
    'engine.reorderWindo must be a known key (did you mean "reorderWindow"?), got "reorderWindo"',
    (d) => {
      d.engine.reorderWindo = '5s';
    },
  ],
  [
    'limits.eventBytesMax must be a size between 1 KB and 1 MB, like 32 KB, got "2 MB"',
    (d) => {
      d.limits.eventBytesMax = '2 MB';
    },
  ],
  [
    'nats.password must be a text without line ends, got a hidden text of length 3',
    (d) => {
      d.nats = { password: 'a\nb' };
    },
  ],
])('parseDefinitions: says that %s', (message, change) => {
  expect(messages(changed(change))).toEqual([message]);
});

test('parseDefinitions: lists every problem, not only the first', () => {
  const value = changed((d) => {
    d.webhooks[0].timeout = 'soon';
    d.campaigns[0].qualify.live.inaction.within = 'soon';
    d.campaigns[0].quietHours = {};
    d.campaigns[1].webhook = 'cmr';
  });
  expect(messages(value)).toHaveLength(4);
});
