import { describe, expect, test } from 'vitest';
import type { Content, Webhook } from '../../../operators/definitions.ts';
import { decodeDeliveries, encodeDeliveries } from '../../../operators/delivery/codec.ts';
import { requestOf } from '../../../operators/delivery/content.ts';
import { subjectText } from '../../../operators/render/subject.ts';
import { RenderRefusal } from '../../../operators/render/template-failure.ts';
import { BASE_MS, campaignOf, deliveryOf, webhookOf } from './lane-bench.ts';

type Values = Record<string, unknown>;

interface Case {
  readonly content?: Partial<Content>;
  readonly webhook?: Partial<Webhook>;
  readonly profile?: Values;
  readonly event?: Values;
}

function requestFor({ content = {}, webhook = {}, profile = {}, event = {} }: Case) {
  const base = campaignOf('c').content;
  const member = deliveryOf('u1', { body: subjectText(profile, event), hasSubject: true });
  return requestOf({
    webhook: webhookOf(webhook),
    campaign: campaignOf('c', { content: { ...base, ...content } }),
    members: [member],
    webhookId: 'msg_u1',
    attempt: 1,
    atMs: BASE_MS,
    userAgent: 'Lapse/0',
  });
}

function textOf({ body }: { readonly body?: Uint8Array }): string {
  return new TextDecoder().decode(body);
}

function reasonOf(one: Case): string {
  try {
    requestFor(one);
  } catch (error) {
    if (error instanceof RenderRefusal) return error.reason;
    throw error;
  }
  return 'none';
}

describe('custom content', () => {
  test('plain text says that it is plain text', () => {
    const content = {
      mode: 'custom',
      type: 'text',
      body: '{{ Profile.n }}: {{ Event.s }}',
    } as const;
    const request = requestFor({ content, profile: { n: 'Ann "x"' }, event: { s: 1 } });
    expect(textOf(request)).toBe('Ann "x": 1');
    expect(request.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  test('large whole numbers keep every digit', () => {
    const content = { mode: 'custom', type: 'json', body: '{"n":{{ Event.n }}}' } as const;
    expect(textOf(requestFor({ content, event: { n: 2n ** 64n - 1n } }))).toBe(
      '{"n":18446744073709551615}',
    );
  });

  test('the user is named by the ids, unless an attribute has that name', () => {
    const body = '{{ Profile.identity }} {{ Profile.objectId }}';
    const content = { mode: 'custom', type: 'text', body } as const;
    expect(textOf(requestFor({ content, profile: { anonymousId: 'a' } }))).toBe('u1 a');
    expect(textOf(requestFor({ content, profile: { identity: 'i', objectId: 'o' } }))).toBe('i o');
  });

  test('a body that a loop has left with a comma too many fails', () => {
    const body = '[{% for i in Event.l %}{{ i }},{% endfor %}]';
    const content = { mode: 'custom', type: 'json', body } as const;
    expect(reasonOf({ content, event: { l: [1] } })).toBe('render-failed');
    expect(reasonOf({ content, event: { l: [] } })).toBe('none');
  });

  test('a delivery written before its campaign was custom has what its element shows', () => {
    const body = '{"e":"{{ Profile.email }}","p":"{{ Profile.plan }}","s":"{{ Event.s }}"}';
    const content = { ...campaignOf('c').content, mode: 'custom', body } as const;
    const element = { Email: 'a@b.c', ProfileData: { plan: 'pro' }, Event_properties: { s: 1 } };
    const request = requestOf({
      webhook: webhookOf(),
      campaign: campaignOf('c', { content }),
      members: [deliveryOf('u1', { body: JSON.stringify(element) })],
      ...{ webhookId: 'msg_u1', attempt: 1, atMs: BASE_MS, userAgent: 'Lapse/0' },
    });
    expect(JSON.parse(textOf(request))).toEqual({ e: 'a@b.c', p: 'pro', s: '1' });
  });
});

describe('templates beside the body', () => {
  test('key values, query and headers are rendered; the element is that of mode variables', () => {
    const content = {
      keyValues: { k: 'Hi {{ Profile.n }}"' },
      query: { q: '{{ Profile.n }} & {{ KeyValues.k }}' },
      headers: { 'X-User': '{{ Profile.n }}' },
    };
    const webhook = { headers: { 'X-User': 'w', 'X-Event': '{{ Event.s | default: "-" }}' } };
    const request = requestFor({ content, webhook, profile: { n: 'Ann' } });
    expect(JSON.parse(textOf(request))).toEqual({
      targetId: 7,
      key_values: { k: 'Hi Ann"' },
      profiles: [{ Identity: 'u1' }],
    });
    expect(new URL(request.url).searchParams.get('q')).toBe('Ann & Hi Ann"');
    expect(request.headers).toMatchObject({ 'x-user': 'Ann', 'x-event': '-' });
  });

  test.each(['a\nb', 'a\rb', 'a\0b', 'a\u0085b', 'a\u007fb', '日本'])(
    'a header that would have %j fails, in the webhook and in the campaign',
    (n) => {
      const headers = { 'X-User': '{{ Profile.n }}' };
      expect(reasonOf({ webhook: { headers }, profile: { n } })).toBe('render-failed');
      expect(reasonOf({ content: { headers }, profile: { n } })).toBe('render-failed');
    },
  );

  test.each(['a/b', 'a?b#c', '../x', '%2e%2e', 'a\\b', 'é\ud800', '@evil.test', 'a b', ':9'])(
    'a value %j stays one segment of the path',
    (v) => {
      const url = 'https://h.test/u/{{ Profile.v }}/end?q={{ Profile.v }}';
      const sent = new URL(requestFor({ webhook: { url }, profile: { v } }).url);
      const segments = sent.pathname.split('/');
      expect(sent.origin).toBe('https://h.test');
      expect([segments.length, segments[1], segments[3]]).toEqual([4, 'u', 'end']);
      expect(decodeURIComponent(segments[2]!)).toBe(v.replace('\ud800', '\ufffd'));
      expect(sent.searchParams.get('q')).toBe(v.replace('\ud800', '\ufffd'));
    },
  );

  test.each(['.', '..'])('a value %s, which would take a segment away, fails', (v) => {
    const url = 'https://h.test/u/{{ Profile.v }}/end';
    expect(reasonOf({ webhook: { url }, profile: { v } })).toBe('render-failed');
    const half = 'https://h.test/u/%2e{{ Profile.v }}/end';
    expect(reasonOf({ webhook: { url: half }, profile: { v: '.' } })).toBe('render-failed');
  });
});

test('deliveries: keep in the log whether they carry their subject', () => {
  const deliveries = [
    deliveryOf('a', { hasSubject: true, wantsOutcome: true }),
    deliveryOf('b', { isAnonymous: true }),
    deliveryOf('c'),
  ];
  expect(decodeDeliveries(encodeDeliveries(deliveries))).toEqual(deliveries);
});
