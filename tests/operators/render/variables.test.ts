import { describe, expect, test } from 'vitest';
import type { Content, PayloadField } from '../../../operators/definitions.ts';
import { renderProfile } from '../../../operators/render/variables.ts';

function contentOf(...fields: PayloadField[]): Content {
  return { mode: 'variables', type: 'json', fields, keyValues: {}, query: {} };
}

const subject = { userId: 'u1', isAnonymous: false, profile: {}, event: {} };

describe('a profile in body mode variables', () => {
  test('has the chosen fields only, in the order in which they were chosen', () => {
    const profile = { email: 'a@b.c', plan: 'pro' };
    const text = renderProfile(contentOf('profileData', 'email'), { ...subject, profile });
    expect(text).toBe('{"ProfileData":{"plan":"pro"},"Email":"a@b.c"}');
  });

  test('has large whole numbers with every digit', () => {
    const profile = { email: 'a@b.c', account: 2n ** 64n - 1n };
    const event = { order: 7_615_917_337_495_251_231n, lines: [{ no: -(2n ** 63n) }] };
    const content = contentOf('profileData', 'eventProperties');
    expect(renderProfile(content, { ...subject, profile, event })).toBe(
      '{"ProfileData":{"account":18446744073709551615},' +
        '"Event_properties":{"order":7615917337495251231,"lines":[{"no":-9223372036854775808}]}}',
    );
  });

  test('is an empty object for a user who has none of them', () => {
    const content = contentOf('email', 'objectId', 'profileData', 'eventProperties', 'pushToken');
    expect(renderProfile(content, subject)).toBe('{}');
  });

  test('prefers an objectId that was said over the anonymous id', () => {
    const content = contentOf('identity', 'objectId');
    const render = (profile: Record<string, unknown>, isAnonymous: boolean) =>
      JSON.parse(renderProfile(content, { ...subject, isAnonymous, profile })) as unknown;
    expect(render({ objectId: 'o', anonymousId: 'a' }, false)).toEqual({
      Identity: 'u1',
      ObjectId: 'o',
    });
    expect(render({ anonymousId: 'a' }, false)).toEqual({ Identity: 'u1', ObjectId: 'a' });
    expect(render({}, true)).toEqual({ ObjectId: 'u1' });
  });

  test('takes names for names: __proto__, constructor and toJSON are data', () => {
    const profile = JSON.parse('{"__proto__":{"x":1},"constructor":"c","toJSON":"t"}') as object;
    const event = JSON.parse('{"__proto__":[2]}') as Record<string, unknown>;
    const content = contentOf('profileData', 'eventProperties');
    const text = renderProfile(content, { ...subject, profile: { ...profile }, event });
    expect(text).toBe(
      '{"ProfileData":{"__proto__":{"x":1},"constructor":"c","toJSON":"t"},' +
        '"Event_properties":{"__proto__":[2]}}',
    );
  });
});
