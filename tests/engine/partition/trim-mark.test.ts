import { describe, expect, test } from 'vitest';
import { decodeTrimMark } from '../../../engine/partition/trim-mark.ts';

const decode = (text: string) => decodeTrimMark(new TextEncoder().encode(text));

describe('trim mark', () => {
  test('an offset comes out as it was written', () => {
    expect(decode('{"upTo":17}')).toBe(17);
  });

  test.each(['', '{"upTo"91}', 'null', '{}', '{"upTo":-1}', '{"upTo":1.5}', '{"upTo":"17"}'])(
    'what holds no offset is refused with a code: %s',
    (text) => {
      expect(() => decode(text)).toThrow(
        expect.objectContaining({ code: 'ERR_TRIM_MARK_CORRUPT' }) as Error,
      );
    },
  );
});
