import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePart, encodePart, type MovedPart } from '../../../operators/identity/parts.ts';

const to = fc.record({ id: fc.string({ minLength: 1 }), isAnonymous: fc.boolean() });
const rule = fc.record({ campaignId: fc.string(), rule: fc.constant({ kind: 'inaction' }) });
const word = fc.nat({ max: 2 ** 32 - 1 });
const timeMs = fc.integer({ min: 0, max: 4e12 });
const value = fc.oneof(fc.string(), fc.double({ noNaN: true }), fc.boolean(), fc.constant(null));
const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString'));

const part = fc.oneof(
  fc
    .record({
      to,
      rule,
      words: fc.tuple(word, word),
      timeMs,
      pairs: fc.array(fc.tuple(name, value)),
    })
    .map(({ to, rule, words, timeMs, pairs }) => ({
      ...{ kind: 'window', to, rule, anchorAtMs: timeMs, extendedMs: 5, restarts: 2 },
      ...{ eventIdLo: words[0], eventIdHi: words[1], properties: Object.fromEntries(pairs) },
    })),
  fc
    .record({ to, timeMs, pairs: fc.array(fc.tuple(name, value)) })
    .map(({ to, timeMs, pairs }) => ({
      ...{ kind: 'profile', to, names: pairs.map(([first]) => first) },
      ...{ values: pairs.map(([, second]) => second), saidAtMs: pairs.map(() => timeMs) },
    })),
  fc.record({ kind: fc.constant('cancel'), to, rule, match: word, eventAtMs: timeMs }),
  fc.record({ kind: fc.constant('end'), to, token: fc.string() }),
) as unknown as fc.Arbitrary<MovedPart>;

test('a moved part arrives as it left, whatever its names are', () => {
  fc.assert(
    fc.property(part, (sent) => {
      expect(decodePart(encodePart(sent))).toEqual(sent);
    }),
  );
});
