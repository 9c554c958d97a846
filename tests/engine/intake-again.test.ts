import { expect, test } from 'vitest';
import { Acknowledgement, Intake } from '../../engine/intake.ts';
import { MemoryLog } from '../../engine/memory-log.ts';
import { RecordKind } from '../../engine/records.ts';
import { ManualClock } from './intake-clock.ts';
import { anEvent, recordsOf } from './intake-records.ts';

const RECEIVED_MS = 1_700_000_000_000;
const DEADLINE_MS = RECEIVED_MS + 5;
const NOW_MS = RECEIVED_MS + 10;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A door that reads again what was not stored, and a log of which the first append fails. */
async function stage() {
  let failFirst: (error: Error) => void = () => undefined;
  let appends = 0;
  const log = new MemoryLog({
    partitionCount: 1,
    beforeStore: () => {
      if (appends++ > 0) return Promise.resolve();
      return new Promise((_, reject) => {
        failFirst = reject;
      });
    },
  });
  const intake = new Intake({ log, clock: new ManualClock(NOW_MS) });
  const door = intake.horizon.join(() => undefined);
  door.passed(NOW_MS);
  const read = () => {
    const acknowledgement = new Acknowledgement({
      onFailure: () => door.fallBack(RECEIVED_MS - 1),
    });
    intake.add(anEvent({ messageId: 'read' }), RECEIVED_MS, acknowledgement);
    return acknowledgement.close();
  };
  const first = read();
  while (appends === 0) await turn();
  const fail = () => failFirst(new Error('nobody answers'));
  const kinds = () => recordsOf(log, 0).flatMap((records) => records.map(({ kind }) => kind));
  return { intake, door, read, first, fail, kinds };
}

test('a tick does not overtake what its door reads again', async () => {
  const { intake, door, read, first, fail, kinds } = await stage();
  intake.requestTick(0, DEADLINE_MS);
  fail();
  await expect(first).rejects.toThrow('nobody answers');
  await intake.idle();
  expect(kinds()).toEqual([]);
  intake.requestTick(0, DEADLINE_MS);
  await turn();
  expect([kinds(), intake.horizon.waitingCount]).toEqual([[], 1]);
  await read();
  door.passed(NOW_MS);
  await intake.idle();
  expect(kinds()).toEqual([RecordKind.track, RecordKind.tick]);
});

test('what others sent behind it fails with it, and they may come again', async () => {
  const { intake, first, fail, kinds } = await stage();
  const behind = new Acknowledgement();
  intake.add(anEvent({ messageId: 'behind' }), NOW_MS, behind);
  fail();
  await expect(first).rejects.toMatchObject({ retryable: true });
  await expect(behind.close()).rejects.toMatchObject({ retryable: true });
  expect([kinds(), intake.bytesInFlight]).toEqual([[], 0]);
});

test('a leave behind it stays, as a gate waits for it', async () => {
  const { intake, first, fail, kinds } = await stage();
  const behind = new Acknowledgement();
  const joins = [{ id: 'before', isAnonymous: true }];
  intake.add(anEvent({ messageId: 'joins', userId: 'after', joins }), NOW_MS, behind);
  fail();
  await expect(first).rejects.toThrow('nobody answers');
  while (kinds().length === 0) await turn();
  expect(kinds()).toEqual([RecordKind.leave]);
});
