import { expect, test } from 'vitest';
import { positionFrom, positionText } from '../../../connectors/logs/jetstream/fence-header.ts';

test('fence header: a position comes back as it was written', () => {
  for (const position of [
    { epoch: 0, offset: 0, ordinal: 0 },
    { epoch: 3, offset: Number.MAX_SAFE_INTEGER, ordinal: 2 ** 32 - 1 },
  ]) {
    expect(positionFrom(positionText(position))).toEqual(position);
  }
  // Plain appends have none.
  expect(positionFrom('')).toEqual({ epoch: 0, offset: 0, ordinal: 0 });
});

test.each([
  '1',
  '1 2',
  '1 2 3 4',
  ' ',
  '1 2 x',
  'NaN 1 1',
  '-1 1 1',
  '1e3 1 1',
  '1 2 9007199254740993',
])('fence header: %j is no position, and neither older nor newer than another', (text) => {
  expect(positionFrom(text)).toBeUndefined();
});
