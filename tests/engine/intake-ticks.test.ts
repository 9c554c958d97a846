import { expect, test } from 'vitest';
import { Acknowledgement, Intake } from '../../engine/intake.ts';
import { MemoryLog } from '../../engine/memory-log.ts';
import { RecordKind } from '../../engine/records.ts';
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
  return { clock, intake, add, kinds };
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
