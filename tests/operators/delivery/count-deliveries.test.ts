import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeDeliveries } from '../../../operators/delivery/codec.ts';
import { countDeliveries } from '../../../operators/delivery/count-deliveries.ts';
import { deliveryOf } from './lane-bench.ts';

const delivery = fc.record({
  campaignId: fc.string({ unit: 'binary', maxLength: 400 }),
  dueAtMs: fc.oneof(fc.nat(200), fc.integer(), fc.maxSafeInteger()),
});

test('an envelope of deliveries: its first bytes say how many it holds', () => {
  fc.assert(
    fc.property(fc.array(delivery, { maxLength: 40 }), (deliveries) => {
      const bytes = encodeDeliveries(deliveries.map((one) => deliveryOf('ann', one)));
      expect(countDeliveries(bytes)).toBe(deliveries.length);
    }),
  );
});

test.each([1, 15, 16, 1_000, 70_000])('an envelope of deliveries: %i are counted', (count) => {
  const deliveries = Array.from({ length: count }, (_, i) => deliveryOf(`u${i}`));
  expect(countDeliveries(encodeDeliveries(deliveries))).toBe(count);
});

test('an envelope of deliveries: one that is cut off, or another thing, is refused', () => {
  const code = 'ERR_ENVELOPE_CORRUPT';
  const bytes = encodeDeliveries(Array.from({ length: 20 }, () => deliveryOf('ann')));
  const head = bytes.length - bytes.subarray(bytes.indexOf(0xdc)).length;
  for (let length = 0; length < head + 3; length++) {
    const cut = bytes.subarray(0, length);
    expect(() => countDeliveries(cut)).toThrow(expect.objectContaining({ code }));
  }
  for (const token of [0xc0, 0xc1, 0xd4]) {
    const other = new Uint8Array([1, token, token, token]);
    expect(() => countDeliveries(other)).toThrow(expect.objectContaining({ code }));
  }
});
