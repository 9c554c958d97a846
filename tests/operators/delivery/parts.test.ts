import { Webhook as StandardWebhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { requestOf, urlOf } from '../../../operators/delivery/content.ts';
import { base32, webhookIdOf } from '../../../operators/delivery/ids.ts';
import {
  RETRY_AFTER_MS_MAX,
  RETRY_SCHEDULE_MS,
  retryAfterMs,
  retryDelayMs,
} from '../../../operators/delivery/retry.ts';
import { signatureOf, signingKeyOf } from '../../../operators/delivery/signature.ts';
import { BASE_MS, campaignOf, deliveryOf, SECRET, webhookOf } from './lane-bench.ts';

describe('ids', () => {
  test('ids: base32 is that of RFC 4648, in lower case without padding', () => {
    const vectors = [
      ['', ''],
      ['f', 'my'],
      ['fo', 'mzxq'],
      ['foo', 'mzxw6'],
      ['foob', 'mzxw6yq'],
      ['fooba', 'mzxw6ytb'],
      ['foobar', 'mzxw6ytboi'],
    ] as const;
    for (const [text, wanted] of vectors) expect(base32(Buffer.from(text))).toBe(wanted);
  });

  test('ids: a single delivery keeps its own, a batch has one of its members in order', () => {
    expect(webhookIdOf(['msg_a'])).toBe('msg_a');
    const batch = webhookIdOf(['msg_a', 'msg_b']);
    expect(batch).toMatch(/^msg_[a-z2-7]{26}$/);
    expect(webhookIdOf(['msg_a', 'msg_b'])).toBe(batch);
    expect(webhookIdOf(['msg_b', 'msg_a'])).not.toBe(batch);
    expect(webhookIdOf(['msg_amsg_', 'b'])).not.toBe(webhookIdOf(['msg_a', 'msg_b']));
  });
});

describe('signature', () => {
  test('signature: that of the Standard Webhooks test vector', () => {
    const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
    const body = Buffer.from('{"test": 2432232314}');
    const signature = signatureOf(signingKeyOf(SECRET), id, 1_614_265_330, body);
    expect(signature).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  test('signature: the official verifier accepts a request, and no altered one', () => {
    // The verifier looks at the real clock.
    const atMs = Date.now();
    const { headers, body } = requestOf({ ...parts(), atMs });
    const text = new TextDecoder().decode(body);
    const verifier = new StandardWebhook(SECRET);
    expect(verifier.verify(text, { ...headers })).toEqual(JSON.parse(text));
    expect(() => verifier.verify(text.replace('ann', 'bob'), { ...headers })).toThrow();
  });
});

function parts(overrides: Parameters<typeof webhookOf>[0] = {}) {
  return {
    webhook: webhookOf({ secret: SECRET, ...overrides }),
    campaign: campaignOf('c'),
    members: [deliveryOf('ann'), deliveryOf('zoë')],
    webhookId: 'msg_x',
    attempt: 3,
    atMs: BASE_MS + 1_999,
    userAgent: 'Lapse/1.2.3',
  };
}

describe('content', () => {
  test('content: the body has the keys of the sample, elements as they were rendered', () => {
    const { body } = requestOf(parts());
    expect(new TextDecoder().decode(body)).toBe(
      '{"targetId":7,"key_values":{},"profiles":[{"Identity":"ann"},{"Identity":"zoë"}]}',
    );
  });

  test('content: every request carries the headers of Standard Webhooks', () => {
    expect(requestOf(parts()).headers).toEqual({
      'user-agent': 'Lapse/1.2.3',
      'content-type': 'application/json',
      'webhook-id': 'msg_x',
      'webhook-timestamp': String(BASE_MS / 1_000 + 1),
      'webhook-attempt': '3',
      'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
    });
  });

  test('content: the webhook may replace some headers, never those of Standard Webhooks', () => {
    const headers = {
      'User-Agent': 'mine',
      'Content-Type': 'application/vnd.mine+json',
      'Webhook-Id': 'forged',
      'Webhook-Signature': 'forged',
      'X-Team': 'growth',
    };
    const { secret: _, ...webhook } = webhookOf({ headers });
    expect(requestOf({ ...parts(), webhook }).headers).toEqual({
      'user-agent': 'mine',
      'content-type': 'application/vnd.mine+json',
      'x-team': 'growth',
      'webhook-id': 'msg_x',
      'webhook-timestamp': String(BASE_MS / 1_000 + 1),
      'webhook-attempt': '3',
    });
  });

  test('content: basic and bearer authorization', () => {
    const basic = { kind: 'basic', username: 'lapse', password: 'pä:ss' } as const;
    const encoded = Buffer.from('lapse:pä:ss').toString('base64');
    expect(requestOf(parts({ auth: basic })).headers.authorization).toBe(`Basic ${encoded}`);
    const bearer = { kind: 'bearer', token: 't0k' } as const;
    expect(requestOf(parts({ auth: bearer })).headers.authorization).toBe('Bearer t0k');
  });

  test.each(['GET', 'DELETE'] as const)('content: %s has no body and signs none', (method) => {
    const { body, headers } = requestOf(parts({ method }));
    expect(body).toBeUndefined();
    expect(headers).not.toHaveProperty('content-type');
    const seconds = Number(headers['webhook-timestamp']);
    const nothing = new Uint8Array(0);
    const signature = signatureOf(signingKeyOf(SECRET), 'msg_x', seconds, nothing);
    expect(headers['webhook-signature']).toBe(signature);
  });

  test('content: parameters are merged into the URL, which is otherwise left as it is', () => {
    const odd = 'https://h.test/p?a=%7e+b';
    expect(urlOf(odd, {})).toBe(odd);
    const merged = new URL(urlOf('https://h.test/p?a=1&b=2#f', { b: 'x & y', c: '' }));
    expect([...merged.searchParams]).toEqual([
      ['a', '1'],
      ['b', 'x & y'],
      ['c', ''],
    ]);
  });
});

describe('retry', () => {
  test('retry: waits lie between the schedule and its jitter, and are spread', () => {
    const capMs = 15 * 60_000;
    RETRY_SCHEDULE_MS.forEach((scheduledMs, i) => {
      const jitterMs = Math.min(Math.max(scheduledMs / 4, 1_000), capMs);
      const waits = Array.from({ length: 500 }, (_, n) => retryDelayMs([], `msg_${n}`, i + 1));
      for (const waitMs of waits) {
        expect(waitMs).toBeGreaterThanOrEqual(scheduledMs);
        expect(waitMs).toBeLessThan(scheduledMs + jitterMs);
      }
      const mean = waits.reduce((sum, waitMs) => sum + waitMs, 0) / waits.length;
      expect(Math.abs(mean - scheduledMs - jitterMs / 2)).toBeLessThan(jitterMs / 10);
    });
  });

  test('retry: the last wait repeats, and equal attempts wait equally long', () => {
    const lastMs = RETRY_SCHEDULE_MS.at(-1)!;
    expect(retryDelayMs([], 'msg_a', 40)).toBeGreaterThanOrEqual(lastMs);
    expect(retryDelayMs([], 'msg_a', 40)).toBe(retryDelayMs([], 'msg_a', 40));
    expect(retryDelayMs([7_000], 'msg_a', 1)).toBeGreaterThanOrEqual(7_000);
    expect(retryDelayMs([7_000], 'msg_a', 9)).toBeLessThan(7_000 + 1_750);
  });

  test.each([
    ['17', 17_000],
    [' 0 ', 0],
    ['999999', RETRY_AFTER_MS_MAX],
    [new Date(BASE_MS + 90_000).toUTCString(), 90_000],
    [new Date(BASE_MS - 90_000).toUTCString(), 0],
    ['Monday, 05-Jan-26 09:00:30 GMT', 30_000],
  ])('retry: Retry-After "%s" is read', (header, wanted) => {
    expect(retryAfterMs(header, BASE_MS)).toBe(wanted);
  });

  test.each(['', 'soon', '-5', '1.5', undefined])(
    'retry: Retry-After "%s" is no wait',
    (header) => {
      expect(retryAfterMs(header, BASE_MS)).toBeUndefined();
    },
  );
});
