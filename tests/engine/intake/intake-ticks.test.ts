import { expect, test } from 'vitest';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { Acknowledgement, Intake } from '../../../engine/intake/intake.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { ManualClock } from './intake-clock.ts';
import { anEvent, recordsOf } from './intake-records.ts';

const DEADLINE_MS = 1_700_000_000_000;
/** The events come after the deadline that was asked for, all in one millisecond. */
const INSTANT_MS = DEADLINE_MS + 5;

function stage() {
  const clock = new ManualClock(INSTANT_MS);
  const log = new MemoryLog({ partitionCount: 1 });
  const intake = new Intake({ log, clock });
  const add = async (messageId: string) => {
    const acknowledgement = new Acknowledgement();
    intake.add(anEvent({ messageId }), INSTANT_MS, acknowledgement);
    await acknowledgement.close();
  };
  const kinds = () => recordsOf(log, 0).flatMap((records) => records.map(({ kind }) => kind));
  return { clock, log, intake, add, kinds };
}

test('a tick: is not raised to an instant of which more records may come', async () => {
  const { clock, intake, add, kinds } = stage();
  await add('first');
  intake.requestTick(0, DEADLINE_MS);
  await add('second');
  clock.advanceTo(INSTANT_MS + 1);
  await intake.idle();
  const { track, tick } = RecordKind;
  expect(kinds()).toEqual([track, track, tick]);
});

test('a tick: asked for again and again while the horizon stands still, comes once', async () => {
  const { clock, intake, kinds } = stage();
  const door = intake.horizon.join(() => undefined);
  door.passed(DEADLINE_MS - 1);
  for (let i = 0; i < 100; i++) intake.requestTick(0, DEADLINE_MS);
  expect(intake.horizon.waitingCount).toBe(1);
  door.passed(INSTANT_MS);
  clock.advanceTo(INSTANT_MS + 1);
  await intake.idle();
  expect(kinds()).toEqual([RecordKind.tick]);
  expect(intake.horizon.waitingCount).toBe(0);
});

test('a tick: what is asked for last counts, be it earlier or later', async () => {
  const { clock, log, intake } = stage();
  const door = intake.horizon.join(() => undefined);
  door.passed(DEADLINE_MS - 10);
  const times = () =>
    recordsOf(log, 0).flatMap((records) => records.map(({ receivedAtMs }) => receivedAtMs));
  const passTo = async (atMs: number) => {
    door.passed(atMs + 1);
    await intake.idle();
  };
  intake.requestTick(0, DEADLINE_MS);
  intake.requestTick(0, DEADLINE_MS - 5);
  await passTo(DEADLINE_MS - 5);
  expect(times()).toEqual([DEADLINE_MS - 5]);
  intake.requestTick(0, DEADLINE_MS);
  intake.requestTick(0, DEADLINE_MS + 2);
  await passTo(DEADLINE_MS);
  expect(times()).toEqual([DEADLINE_MS - 5]);
  await passTo(DEADLINE_MS + 2);
  expect(times()).toEqual([DEADLINE_MS - 5, DEADLINE_MS + 2]);
  clock.advanceTo(INSTANT_MS + 100);
  expect(intake.horizon.waitingCount).toBe(0);
});
