import { expect, test } from 'vitest';
import { EnvelopeWriter } from '../../engine/envelope/envelope-writer.ts';
import { RecordKind } from '../../engine/envelope/records.ts';
import { mix32 } from '../../engine/state/hash.ts';
import { keyOf } from '../../engine/state/key.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const SALT = 0x9e3779b9;
const ID = { lo: 0x12345678, hi: 0x9abcdef0 };

/** The id with which one user's event had the fingerprint of the other's, when it had no key. */
function forged(own: string, other: string) {
  const [mine, theirs] = [keyOf(own, false), keyOf(other, false)];
  const half = (a: number, b: number, id: number) => (mix32(a + SALT) ^ mix32(b + SALT) ^ id) >>> 0;
  return {
    lo: half(mine.hashLo, theirs.hashLo, ID.lo),
    hi: half(mine.hashHi, theirs.hashHi, ID.hi),
  };
}

test('nobody can have another user’s event ignored by choosing ids', () => {
  const harness = new PartitionHarness();
  harness.define([campaignOf('c', inactionOf())], START_MS);
  const send = (userId: string, id: { lo: number; hi: number }, offset: number) => {
    const writer = new EnvelopeWriter();
    const event = {
      kind: RecordKind.track,
      userId,
      isAnonymous: false,
      name: 'did',
      eventAtMs: START_MS + 1,
      flags: 0,
      messageId: '',
      properties: {},
    };
    writer.addEvent(event, START_MS + 1, 0, id);
    harness.partition.begin({ offset, storedAtMs: 0, bytes: writer.finish() });
    harness.partition.run(() => false);
  };
  send('mallory', forged('mallory', 'ann'), 2);
  send('ann', ID, 3);
  expect(harness.counters).toMatchObject({ duplicates: 0, windowsOpened: 2 });
  send('ann', ID, 4);
  expect(harness.counters).toMatchObject({ duplicates: 1, windowsOpened: 2 });
});
