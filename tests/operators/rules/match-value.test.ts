import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchText } from '../../../operators/rules/match-value.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../../support/partition-harness.ts';

const CART = 7_615_917_337_495_251_231n;
const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WITHIN_MS = 10_000;

/** The value with the names of every object in another order. */
function reordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(reordered);
  const members = Object.entries(value).map(([name, member]) => [name, reordered(member)]);
  return Object.fromEntries(members.reverse());
}

test('a match value: has one text, whatever the order of its names', () => {
  const text = fc.string({ unit: 'grapheme' });
  const value = fc.jsonValue({ depthSize: 'medium', stringUnit: 'grapheme' });
  fc.assert(
    fc.property(fc.dictionary(text, value), (one) => {
      expect(matchText(reordered(one))).toBe(matchText(one));
    }),
  );
});

test('a match value: has another text when it is another value', () => {
  const values = [1, '1', CART, CART + 1n, `${CART}`, true, 'true', [1, 2], [2, 1], { a: 1 }];
  const more = [{ a: '1' }, { a: CART }, { a: CART + 1n }, [{ a: 1 }], { a: { b: 1 } }, {}, []];
  const texts = [...values, ...more].map(matchText);
  expect(new Set(texts).size).toBe(texts.length);
});

/** Users' windows that were left of those of `opened` after `closed` came. */
function firedOf(opened: readonly unknown[], closed: unknown, isRecovered: boolean): unknown[] {
  const harness = new PartitionHarness();
  const match = { did: 'cart', without: 'cart' };
  harness.define([campaignOf('c', inactionOf({ withinMs: WITHIN_MS, match }))], START_MS);
  for (const cart of opened) harness.send({ properties: { cart } }, START_MS);
  if (isRecovered) {
    harness.restore(({ state, pipeline, offset }) => {
      const frozen = structuredClone({ state: state.freeze(), pipeline: pipeline.freeze() });
      return { ...frozen, offset };
    });
  }
  harness.send({ name: 'without', properties: { cart: closed } }, START_MS + 1);
  harness.tick(START_MS + 2 * WITHIN_MS);
  return harness.deliveries.map(({ body }) => body);
}

test.each([false, true])('of two carts that differ beyond 2^53 one is closed: %s', (is) => {
  const [body, ...others] = firedOf([CART, CART + 1n], CART + 1n, is);
  expect(body).toContain(`"Event_properties":{"cart":${CART}}`);
  expect(others).toEqual([]);
});

test.each([false, true])('a cart that is an object is closed by an equal one: %s', (is) => {
  const cart = { shop: 1, no: { a: CART, b: 2 } };
  expect(firedOf([cart], reordered(cart), is)).toEqual([]);
  expect(firedOf([cart], { ...cart, no: { a: CART + 1n, b: 2 } }, is)).toHaveLength(1);
});
