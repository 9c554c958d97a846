import { describe, expect, test } from 'vitest';
import { Unread } from '../../../engine/log/unread.ts';

const NOW_MS = 1_700_000_000_000;
const AGE_MS_MAX = 1_000;
const MANY = 10_000;

describe('unread', () => {
  test('there is no room when too many records are unread, until some are processed', () => {
    const unread = new Unread({ recordsMax: MANY });
    unread.appended(MANY + 1, NOW_MS);
    expect([unread.records, unread.hasRoom(NOW_MS)]).toEqual([MANY + 1, false]);
    unread.processed(1);
    expect([unread.records, unread.hasRoom(NOW_MS)]).toEqual([MANY, true]);
  });

  test('there is no room when the oldest of many unread records is too old', () => {
    const unread = new Unread({ ageMsMax: AGE_MS_MAX });
    unread.appended(MANY, NOW_MS);
    unread.appended(MANY, NOW_MS + AGE_MS_MAX);
    expect(unread.hasRoom(NOW_MS + AGE_MS_MAX)).toBe(true);
    expect(unread.hasRoom(NOW_MS + AGE_MS_MAX + 1)).toBe(false);
    unread.processed(MANY);
    expect(unread.ageMs(NOW_MS + AGE_MS_MAX + 1)).toBe(1);
    expect(unread.hasRoom(NOW_MS + AGE_MS_MAX + 1)).toBe(true);
  });

  test('a few records that are never told as processed do not close the doors', () => {
    const unread = new Unread({ ageMsMax: AGE_MS_MAX });
    unread.appended(MANY + 1, NOW_MS);
    unread.processed(MANY);
    expect(unread.hasRoom(NOW_MS + 3_600_000)).toBe(true);
  });

  test('the age of appends that share a mark is that of the first', () => {
    const unread = new Unread({ ageMsMax: AGE_MS_MAX });
    for (let i = 0; i < 19; i++) unread.appended(1, NOW_MS + i);
    expect(unread.ageMs(NOW_MS + 100)).toBe(100);
    unread.processed(19);
    expect(unread.ageMs(NOW_MS + 100)).toBe(0);
  });
});
