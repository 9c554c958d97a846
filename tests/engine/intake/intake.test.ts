import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ENVELOPE_RECORDS_MAX } from '../../../engine/envelope/envelope-layout.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { LapseError } from '../../../engine/errors/errors.ts';
import { Acknowledgement, Intake } from '../../../engine/intake/intake.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { fnv1a32, partitionOf } from '../../../engine/state/hash.ts';
import { ManualClock } from './intake-clock.ts';
import { anEvent, recordsOf } from './intake-records.ts';

const NOW_MS = 1_700_000_000_000;

/** A log whose appends of events wait until they are let through. */
function heldLog(partitionCount: number) {
  const held: { topic: string; release: () => void; fail: (error: Error) => void }[] = [];
  const inFlight = new Map<string, number>();
  let most = 0;
  const log = new MemoryLog({
    partitionCount,
    beforeStore: (topic) =>
      new Promise((resolve, reject) => held.push({ topic, release: resolve, fail: reject })),
  });
  const append = log.append.bind(log);
  log.append = async (topic, bytes, fence) => {
    inFlight.set(topic, (inFlight.get(topic) ?? 0) + 1);
    most = Math.max(most, inFlight.get(topic)!);
    try {
      return await append(topic, bytes, fence);
    } finally {
      inFlight.set(topic, inFlight.get(topic)! - 1);
    }
  };
  return { log, held, mostInFlight: () => most };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

describe('intake', () => {
  test('an id falls into the partition that its UTF-8 bytes say, ASCII or not', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1 }),
        fc.integer({ min: 1, max: 64 }),
        (id, n) => {
          expect(partitionOf(id, n)).toBe(fnv1a32(new TextEncoder().encode(id)) % n);
        },
      ),
    );
  });

  test('what waits behind a join fails when nobody will bring what moves, and nothing else', async () => {
    const intake = new Intake({
      log: new MemoryLog({ partitionCount: 1 }),
      clock: new ManualClock(NOW_MS),
    });
    const before = new Acknowledgement();
    intake.add(anEvent({ userId: 'u1' }), NOW_MS, before);
    const behind = new Acknowledgement();
    const joins = [{ id: 'a1', isAnonymous: true }];
    const identify = anEvent({ kind: RecordKind.identify, userId: 'u1', messageId: 'm2', joins });
    intake.add(identify, NOW_MS, behind);
    await before.close();
    expect(intake.bytesInFlight).toBeGreaterThan(0);
    intake.fail('ERR_STOPPING', 'stopping', { retryable: true });
    intake.abandon();
    await expect(behind.close()).rejects.toMatchObject({ code: 'ERR_STOPPING', retryable: true });
    await intake.idle();
  });

  test('nothing is acknowledged before it is durable', async () => {
    const { log, held } = heldLog(1);
    const intake = new Intake({ log, clock: new ManualClock(NOW_MS) });
    const acknowledgement = new Acknowledgement();
    intake.add(anEvent(), NOW_MS, acknowledgement);
    let isDurable = false;
    const durable = acknowledgement.close().then(() => {
      isDurable = true;
    });
    await until(() => held.length === 1);
    await turn();
    expect(isDurable).toBe(false);
    held[0]!.release();
    await durable;
    expect(recordsOf(log, 0).flat().length).toBe(1);
    expect(intake.bytesInFlight).toBe(0);
  });

  test('an empty request is durable at once', async () => {
    await new Acknowledgement().close();
  });

  test('one append a partition is in flight, and what comes meanwhile leaves together', async () => {
    const { log, held, mostInFlight } = heldLog(1);
    const intake = new Intake({ log, clock: new ManualClock(NOW_MS) });
    const acknowledgement = new Acknowledgement();
    intake.add(anEvent(), NOW_MS, acknowledgement);
    await until(() => held.length === 1);
    const company = 20;
    for (let i = 0; i < company; i++) intake.add(anEvent(), NOW_MS, acknowledgement);
    await turn();
    expect(held.length).toBe(1);
    held[0]!.release();
    await until(() => held.length === 2);
    held[1]!.release();
    await acknowledgement.close();
    expect(recordsOf(log, 0).map((records) => records.length)).toEqual([1, company]);
    expect(mostInFlight()).toBe(1);
    expect(intake.recordsAppended).toBe(1 + company);
    expect(intake.envelopesAppended).toBe(2);
  });

  test('envelopes are full under load', async () => {
    const log = new MemoryLog({ partitionCount: 1 });
    const intake = new Intake({ log, clock: new ManualClock(NOW_MS) });
    const acknowledgement = new Acknowledgement();
    const rest = 7;
    for (let i = 0; i < 2 * ENVELOPE_RECORDS_MAX + rest; i++) {
      intake.add(anEvent(), NOW_MS, acknowledgement);
    }
    await acknowledgement.close();
    expect(recordsOf(log, 0).map((records) => records.length)).toEqual([
      ENVELOPE_RECORDS_MAX,
      ENVELOPE_RECORDS_MAX,
      rest,
    ]);
  });

  test('records gather in the partitions that wait their turn, when few appends are allowed', async () => {
    const partitionCount = 8;
    const { log, held } = heldLog(partitionCount);
    const intake = new Intake({ log, clock: new ManualClock(NOW_MS), appendsMax: 2 });
    const acknowledgement = new Acknowledgement();
    const rounds = 30;
    for (let round = 0; round < rounds; round++) {
      for (let user = 0; user < 100; user++) {
        intake.add(anEvent({ userId: `u${user}` }), NOW_MS, acknowledgement);
      }
      await turn();
      expect(held.length).toBeLessThanOrEqual(2);
    }
    const durable = acknowledgement.close();
    let released = 0;
    let isDone = false;
    const done = durable.then(() => {
      isDone = true;
    });
    while (!isDone) {
      while (released < held.length) held[released++]!.release();
      await turn();
    }
    await done;
    expect(intake.recordsAppended).toBe(rounds * 100);
    // Two early ones, then each partition in envelopes as full as they get.
    const fewest = Math.ceil((rounds * 100) / ENVELOPE_RECORDS_MAX);
    expect(intake.envelopesAppended).toBeLessThanOrEqual(fewest + 2 * partitionCount);
  });

  test('an append that fails fails its own acknowledgements and no later ones', async () => {
    const { log, held } = heldLog(1);
    const intake = new Intake({ log, clock: new ManualClock(NOW_MS) });
    const [first, second] = [new Acknowledgement(), new Acknowledgement()];
    intake.add(anEvent({ name: 'first' }), NOW_MS, first);
    await until(() => held.length === 1);
    intake.add(anEvent({ name: 'second' }), NOW_MS, second);
    held[0]!.fail(new Error('the disk is full'));
    const error = await first.close().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LapseError);
    expect((error as LapseError).message).toBe('The log took no records: the disk is full.');
    expect((error as LapseError).code).toBe('ERR_LOG_UNAVAILABLE');
    expect((error as LapseError).retryable).toBe(true);
    await until(() => held.length === 2);
    held[1]!.release();
    await second.close();
    expect(
      recordsOf(log, 0)
        .flat()
        .map((record) => record.name),
    ).toEqual(['second']);
    expect([intake.recordsAppended, intake.appendsFailed, intake.bytesInFlight]).toEqual([1, 1, 0]);
  });

  test('a leave whose append failed is said again after a pause, and holds up a drain', async () => {
    const { log, held } = heldLog(1);
    const clock = new ManualClock(NOW_MS);
    const intake = new Intake({ log, clock });
    const acknowledgement = new Acknowledgement();
    const joins = [{ id: 'before', isAnonymous: true }];
    intake.add(anEvent({ userId: 'u', joins }), NOW_MS, acknowledgement);
    await until(() => held.length === 1);
    held[0]!.fail(new Error('the disk is full'));
    await until(() => intake.appendsFailed === 1);
    expect(intake.bytesInFlight).toBeGreaterThan(0);
    clock.advanceTo(NOW_MS + 1_000);
    await until(() => held.length === 2);
    held[1]!.release();
    await until(() => recordsOf(log, 0).length === 1);
    expect(recordsOf(log, 0)[0]!.map(({ kind }) => kind)).toEqual([RecordKind.leave]);
  });

  test('there is no room while too much is on its way, and room as soon as it is stored', async () => {
    const { log, held } = heldLog(1);
    const intake = new Intake({ log, clock: new ManualClock(NOW_MS), inFlightBytesMax: 50 });
    const acknowledgement = new Acknowledgement();
    expect(intake.hasRoom).toBe(true);
    intake.add(anEvent(), NOW_MS, acknowledgement);
    expect(intake.hasRoom).toBe(false);
    const room = intake.room();
    await until(() => held.length === 1);
    held[0]!.release();
    await room;
    expect(intake.hasRoom).toBe(true);
    await intake.idle();
    await acknowledgement.close();
  });

  test('there is no room while the partitions are too far behind, and room as they read on', async () => {
    const unreadRecordsMax = 10;
    const log = new MemoryLog({ partitionCount: 1 });
    const intake = new Intake({ log, clock: new ManualClock(NOW_MS), unreadRecordsMax });
    const acknowledgement = new Acknowledgement();
    for (let i = 0; i <= unreadRecordsMax; i++) {
      intake.add(anEvent({ messageId: `m${i}` }), NOW_MS, acknowledgement);
    }
    await acknowledgement.close();
    expect([intake.unreadRecords, intake.hasRoom]).toEqual([unreadRecordsMax + 1, false]);
    const room = intake.room();
    intake.processed(1);
    await room;
    expect([intake.unreadRecords, intake.hasRoom]).toEqual([unreadRecordsMax, true]);
  });

  test('everything is refused with the reason, after fail', () => {
    const intake = new Intake({
      log: new MemoryLog({ partitionCount: 1 }),
      clock: new ManualClock(NOW_MS),
    });
    intake.fail('ERR_DRAINING', 'Lapse is shutting down.');
    expect(() => intake.add(anEvent(), NOW_MS, new Acknowledgement())).toThrow(
      'Lapse is shutting down.',
    );
  });

  test('times of receipt that lie years apart survive', async () => {
    const log = new MemoryLog({ partitionCount: 1 });
    const intake = new Intake({ log, clock: new ManualClock(NOW_MS) });
    const acknowledgement = new Acknowledgement();
    const times = [NOW_MS - 3 * 365 * 86_400_000, NOW_MS - 50 * 86_400_000, NOW_MS];
    for (const atMs of times) intake.add(anEvent(), atMs, acknowledgement);
    await acknowledgement.close();
    expect(
      recordsOf(log, 0)
        .flat()
        .map((record) => record.receivedAtMs),
    ).toEqual(times);
    expect(intake.bytesInFlight).toBe(0);
  });

  test('order per user is kept and time never goes back, whatever comes', async () => {
    const event = fc.record({ user: fc.nat(6), skewMs: fc.integer({ min: -50, max: 50 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 1_500 }), fc.nat(4), async (events, pause) => {
        const partitionCount = 3;
        const log = new MemoryLog({ partitionCount });
        const intake = new Intake({ log, clock: new ManualClock(NOW_MS), appendsMax: 2 });
        const acknowledgement = new Acknowledgement();
        for (const [i, { user, skewMs }] of events.entries()) {
          const userId = `u${user}`;
          intake.add(anEvent({ userId, properties: { i } }), NOW_MS + skewMs, acknowledgement);
          if (i % 400 === pause) await turn();
        }
        await acknowledgement.close();
        const seen = new Map<string, number>();
        let count = 0;
        for (let partition = 0; partition < partitionCount; partition++) {
          let timeMs = 0;
          for (const record of recordsOf(log, partition).flat()) {
            count++;
            expect(record.receivedAtMs).toBeGreaterThanOrEqual(timeMs);
            timeMs = record.receivedAtMs;
            const i = record.properties.i as number;
            expect(i).toBeGreaterThan(seen.get(record.userId) ?? -1);
            seen.set(record.userId, i);
          }
        }
        expect(count).toBe(events.length);
        expect(intake.recordsAppended).toBe(events.length);
      }),
      { numRuns: 30 },
    );
  });
});

describe('intake: ticks', () => {
  const DEADLINE_MS = NOW_MS + 1_000;

  test('an event received at the deadline stands before its tick', async () => {
    const clock = new ManualClock(NOW_MS);
    const log = new MemoryLog({ partitionCount: 1 });
    const intake = new Intake({ log, clock });
    const acknowledgement = new Acknowledgement();
    intake.requestTick(0, DEADLINE_MS);
    clock.advanceTo(DEADLINE_MS);
    intake.add(anEvent(), clock.now(), acknowledgement);
    clock.advanceTo(DEADLINE_MS + 1);
    await acknowledgement.close();
    await intake.idle();
    const records = recordsOf(log, 0).flat();
    expect(records.map((record) => [record.kind, record.receivedAtMs])).toEqual([
      [RecordKind.track, DEADLINE_MS],
      [RecordKind.tick, DEADLINE_MS],
    ]);
  });

  test('a backlog from before the deadline stands before the tick, however late it comes', async () => {
    const clock = new ManualClock(NOW_MS);
    const log = new MemoryLog({ partitionCount: 1 });
    const intake = new Intake({ log, clock });
    const door = intake.horizon.join(() => undefined);
    const acknowledgement = new Acknowledgement();
    intake.requestTick(0, DEADLINE_MS);
    clock.advanceTo(DEADLINE_MS + 60_000);
    expect(intake.isCatchingUp).toBe(true);
    const backlog = [DEADLINE_MS - 500, DEADLINE_MS, DEADLINE_MS + 200];
    for (const atMs of backlog) {
      await turn();
      intake.add(anEvent(), atMs, acknowledgement);
      door.passed(atMs);
    }
    await acknowledgement.close();
    await intake.idle();
    const records = recordsOf(log, 0).flat();
    const kinds = records.map((record) => record.kind);
    // The last one carries time past the deadline by itself.
    expect(kinds).toEqual([RecordKind.track, RecordKind.track, RecordKind.track]);
    expect(intake.horizonMs()).toBe(DEADLINE_MS + 200);
  });

  test('a control record does not carry time over a backlog', async () => {
    const clock = new ManualClock(NOW_MS);
    const log = new MemoryLog({ partitionCount: 1 });
    const intake = new Intake({ log, clock });
    const door = intake.horizon.join(() => undefined);
    const behindMs = 5_000;
    door.passed(NOW_MS - behindMs);
    const acknowledgement = new Acknowledgement();
    intake.control({ kind: 'publish' }, acknowledgement, RecordKind.control);
    door.isBehind = false;
    intake.control({ kind: 'publish' }, acknowledgement, RecordKind.control);
    await acknowledgement.close();
    expect(
      recordsOf(log, 0)
        .flat()
        .map((record) => record.receivedAtMs),
    ).toEqual([NOW_MS - behindMs, NOW_MS]);
  });
});
