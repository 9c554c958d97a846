import { expect, test } from 'vitest';
import { ENVELOPE_RECORDS_MAX } from '../../../engine/envelope/envelope-layout.ts';
import { type IncomingEvent, RecordKind } from '../../../engine/envelope/records.ts';
import { Acknowledgement, Intake } from '../../../engine/intake/intake.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { partitionOf } from '../../../engine/state/hash.ts';
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
  const stored = () => recordsOf(log, 0).flat();
  const kinds = () => stored().map(({ kind }) => kind);
  return { intake, door, read, first, fail, stored, kinds };
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

test('what comes again has the time of its receipt, not of what failed behind it', async () => {
  const { intake, read, first, fail, stored } = await stage();
  const behind = new Acknowledgement();
  intake.add(anEvent({ messageId: 'behind' }), NOW_MS, behind);
  fail();
  await expect(first).rejects.toThrow('nobody answers');
  await expect(behind.close()).rejects.toThrow('nobody answers');
  await read();
  expect(stored().map(({ receivedAtMs }) => receivedAtMs)).toEqual([RECEIVED_MS]);
});

/** Ids that fall into a partition of two. */
function idsIn(partition: number, count: number): string[] {
  const ids: string[] = [];
  for (let i = 0; ids.length < count; i++)
    if (partitionOf(`${i}`, 2) === partition) ids.push(`${i}`);
  return ids;
}

test('more leaves than fit the envelope at hand are said again in several', async () => {
  const joins = 300;
  let appends = 0;
  let release = () => {};
  const log = new MemoryLog({
    partitionCount: 2,
    beforeStore: () => {
      appends++;
      if (appends === 1) throw new Error('the disk is full');
      if (appends > 2) return;
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    },
  });
  const clock = new ManualClock(NOW_MS);
  const intake = new Intake({ log, clock });
  const add = (event: Partial<IncomingEvent>) => {
    const acknowledgement = new Acknowledgement();
    intake.add(anEvent(event), NOW_MS, acknowledgement);
    acknowledgement.close().catch(() => undefined);
  };
  // Of users of the other partition, where nothing has to be stored before.
  const users = idsIn(1, joins);
  for (const [i, id] of idsIn(0, joins).entries()) {
    const ids = [{ id, isAnonymous: true }];
    add({ kind: RecordKind.alias, userId: users[i]!, name: '', joins: ids });
  }
  // All leaves have failed; an append is under way and behind it an envelope is all but full.
  while (appends === 0 || clock.timerCount === 0) await turn();
  const [user] = idsIn(0, 1);
  add({ userId: user!, messageId: 'first' });
  while (appends < 2) await turn();
  const behind = ENVELOPE_RECORDS_MAX - 1;
  for (let i = 0; i < behind; i++) add({ userId: user!, messageId: `behind${i}` });
  clock.advanceTo(NOW_MS + 1_000);
  release();
  while (appends < 4) await turn();
  await turn();
  const envelopes = recordsOf(log, 0);
  const leaves = envelopes.flat().filter(({ kind }) => kind === RecordKind.leave);
  expect([leaves.length, envelopes.flat().length]).toEqual([joins, 1 + behind + joins]);
  const most = Math.max(...envelopes.map((records) => records.length));
  expect(most).toBe(ENVELOPE_RECORDS_MAX);
  // What moves is brought nowhere here, and is waited for; of all else nothing is on its way.
  intake.fail('ERR_STOPPING', 'It stops.');
  intake.abandon();
  expect(intake.bytesInFlight).toBe(0);
});
