import { describe, expect, test } from 'vitest';
import { EnvelopeReader } from '../../engine/envelope-reader.ts';
import { partitionOf } from '../../engine/hash.ts';
import { arrivalOf } from '../../engine/identities.ts';
import { Acknowledgement, Intake } from '../../engine/intake.ts';
import type { Log } from '../../engine/log.ts';
import { MemoryLog } from '../../engine/memory-log.ts';
import { type IncomingEvent, type Leave, RecordKind } from '../../engine/records.ts';
import { ManualClock } from './intake-clock.ts';
import { anEvent, recordsOf } from './intake-records.ts';

const NOW_MS = Date.parse('2026-01-05T09:00:00Z');
const PARTITIONS = 4;

/** Ids by the partition that they fall into. */
function idIn(partition: number, prefix: string): string {
  for (let i = 0; ; i++) {
    if (partitionOf(`${prefix}${i}`, PARTITIONS) === partition) return `${prefix}${i}`;
  }
}

const ANN = idIn(0, 'ann');
const DEVICE = idIn(1, 'device');

function identify(userId: string, anonymousId: string): IncomingEvent {
  const joins = [{ id: anonymousId, isAnonymous: true }];
  return anEvent({ kind: RecordKind.identify, name: '', userId, joins, eventAtMs: NOW_MS });
}

/** What stands in the input of a partition: names of events, `leave <from> <to>`. */
function inputOf(log: Log, partition: number): string[] {
  const reader = log.read(`in.${partition}`, 0, () => undefined);
  const envelope = new EnvelopeReader();
  const found: string[] = [];
  for (let stored = reader.poll(); stored !== undefined; stored = reader.poll()) {
    envelope.load(stored.bytes);
    for (let i = 0; i < envelope.count; i++) {
      if (envelope.kind[i] === RecordKind.leave) {
        const { from, to } = envelope.jsonOf(i) as Leave;
        found.push(`leave ${from.id} ${to.id}`);
      } else found.push(envelope.names[envelope.name[i]!]! || 'identify');
    }
  }
  reader.close();
  return found;
}

/** The leaves in a partition's input. */
/** Names or kinds of what stands there, their times, and which of them time does not go on with. */
function timesIn(log: Log, partition: number): unknown[][] {
  return recordsOf(log, partition)
    .flat()
    .map(({ kind, name, receivedAtMs, isAhead }) => [
      name || kind,
      receivedAtMs - NOW_MS,
      ...(isAhead ? ['ahead'] : []),
    ]);
}

function leavesIn(log: Log, partition: number): Leave[] {
  const reader = log.read(`in.${partition}`, 0, () => undefined);
  const envelope = new EnvelopeReader();
  const leaves: Leave[] = [];
  for (let stored = reader.poll(); stored !== undefined; stored = reader.poll()) {
    envelope.load(stored.bytes);
    for (let i = 0; i < envelope.count; i++) {
      if (envelope.kind[i] === RecordKind.leave) leaves.push(envelope.jsonOf(i) as Leave);
    }
  }
  reader.close();
  return leaves;
}

/** What the gates of the leaves in a partition's input wait for. */
function arrivalsIn(log: Log, partition: number): string[] {
  return leavesIn(log, partition).map(({ token, to }) => arrivalOf(token, to));
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

function stage(beforeStore?: (topic: string) => void | Promise<void>) {
  const log = new MemoryLog({
    partitionCount: PARTITIONS,
    ...(beforeStore === undefined ? {} : { beforeStore }),
  });
  const clock = new ManualClock(NOW_MS);
  const intake = new Intake({ log, clock });
  const durable: string[] = [];
  const add = (event: IncomingEvent, label = event.name, receivedAtMs = NOW_MS) => {
    const acknowledgement = new Acknowledgement();
    intake.add(event, receivedAtMs, acknowledgement);
    acknowledgement.close().then(
      () => durable.push(label),
      () => durable.push(`${label} failed`),
    );
  };
  return { log, clock, intake, add, durable };
}

describe('a join at the intake', () => {
  test('what came before goes before, what comes later waits for what moves', async () => {
    const { log, intake, add, durable } = stage();
    add(anEvent({ userId: ANN, name: 'before' }));
    add(anEvent({ userId: DEVICE, isAnonymous: true, name: 'seen' }));
    add(identify(ANN, DEVICE), 'joined');
    add(anEvent({ userId: ANN, name: 'after' }));
    await turns(5);
    expect(inputOf(log, 0)).toEqual(['before']);
    expect(inputOf(log, 1)).toEqual(['seen', `leave ${DEVICE} ${ANN}`]);
    // An identify is acknowledged when both of its records stand.
    expect(durable).toEqual(['before', 'seen']);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    expect(inputOf(log, 0)).toEqual(['before', 'identify', 'after']);
    expect(durable).toEqual(['before', 'seen', 'joined', 'after']);
    expect(intake.bytesInFlight).toBe(0);
  });

  test('other partitions do not wait', async () => {
    const { log, add } = stage();
    const other = idIn(2, 'other');
    add(identify(ANN, DEVICE), 'joined');
    add(anEvent({ userId: other, name: 'elsewhere' }));
    add(anEvent({ userId: idIn(1, 'neighbour'), name: 'beside' }));
    await turns(5);
    expect(inputOf(log, 2)).toEqual(['elsewhere']);
    expect(inputOf(log, 1)).toEqual([`leave ${DEVICE} ${ANN}`, 'beside']);
  });

  test('within one partition it waits as well, and in the same order', async () => {
    const { log, intake, add } = stage();
    const near = idIn(0, 'near');
    add(identify(ANN, near), 'joined');
    add(anEvent({ userId: ANN, name: 'after' }));
    await turns(5);
    expect(inputOf(log, 0)).toEqual([`leave ${near} ${ANN}`]);
    intake.moved(arrivalsIn(log, 0)[0]!);
    await turns(5);
    expect(inputOf(log, 0)).toEqual([`leave ${near} ${ANN}`, 'identify', 'after']);
  });

  test('two joins that cross do not wait for each other', async () => {
    const { log, intake, add, durable } = stage();
    const [bob, phone] = [idIn(1, 'bob'), idIn(0, 'phone')];
    // Ann's device lives with Bob, Bob's phone with Ann.
    add(identify(ANN, DEVICE), 'ann');
    add(identify(bob, phone), 'bob');
    await turns(5);
    const leaves = [[`leave ${phone} ${bob}`], [`leave ${DEVICE} ${ANN}`]];
    expect([inputOf(log, 0), inputOf(log, 1)]).toEqual(leaves);
    intake.moved(arrivalsIn(log, 0)[0]!);
    await turns(5);
    expect([inputOf(log, 0), durable]).toEqual([leaves[0], ['bob']]);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    expect(durable).toEqual(['bob', 'ann']);
  });

  test('joins of one user go one after the other', async () => {
    const { log, intake, add, durable } = stage();
    const phone = idIn(2, 'phone');
    add(identify(ANN, DEVICE), 'device');
    add(identify(ANN, phone), 'phone');
    await turns(5);
    expect([inputOf(log, 1), inputOf(log, 2)]).toEqual([[`leave ${DEVICE} ${ANN}`], []]);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    expect([inputOf(log, 0), inputOf(log, 2)]).toEqual([['identify'], [`leave ${phone} ${ANN}`]]);
    intake.moved(arrivalsIn(log, 2)[0]!);
    await turns(5);
    expect(durable).toEqual(['device', 'phone']);
  });

  test('other users of both partitions go on, ahead of a time that stands still', async () => {
    const { log, clock, intake, add } = stage();
    add(identify(ANN, DEVICE), 'joined', NOW_MS + 1);
    add(anEvent({ userId: ANN, name: 'after' }), 'after', NOW_MS + 2);
    for (const partition of [0, 1]) {
      const userId = idIn(partition, 'other');
      add(anEvent({ userId, name: 'beside' }), 'beside', NOW_MS + 30);
      intake.requestTick(partition, NOW_MS + 20);
    }
    clock.advanceTo(NOW_MS + 40);
    await turns(5);
    expect(timesIn(log, 0)).toEqual([['beside', 30, 'ahead']]);
    expect(timesIn(log, 1)).toEqual([
      [RecordKind.leave, 1],
      ['beside', 30, 'ahead'],
    ]);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    // What waited for the join comes first, then the ticks that were asked for meanwhile.
    expect(timesIn(log, 0).slice(1)).toEqual([
      [RecordKind.identify, 1],
      ['after', 2],
      [RecordKind.tick, 20],
    ]);
    expect(timesIn(log, 1).slice(2)).toEqual([[RecordKind.tick, 20]]);
  });

  test('a leave that the log did not take is said again, and what waits for it waits on', async () => {
    let refusals = 2;
    const { log, clock, intake, add, durable } = stage((topic) => {
      if (topic === 'in.1' && refusals-- > 0) throw new Error('the disk is full');
    });
    add(identify(ANN, DEVICE), 'joined');
    add(anEvent({ userId: ANN, name: 'after' }));
    await turns(5);
    expect([inputOf(log, 0), inputOf(log, 1)]).toEqual([[], []]);
    for (let tries = 0; tries < 2; tries++) {
      clock.advanceTo(clock.now() + 1_000);
      await turns(5);
    }
    expect(inputOf(log, 1)).toEqual([`leave ${DEVICE} ${ANN}`]);
    expect([inputOf(log, 0), durable]).toEqual([[], []]);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    expect(inputOf(log, 0)).toEqual(['identify', 'after']);
    // Whoever identified was told that it failed and comes again: that joins nothing new.
    expect(durable).toEqual(['joined failed', 'after']);
    add(identify(ANN, DEVICE), 'again');
    await turns(5);
    expect(inputOf(log, 1)).toHaveLength(1);
    expect(durable.at(-1)).toBe('again');
  });

  test('a retried event goes by its old partition, and later ones wait for it', async () => {
    const { log, intake, add } = stage();
    add(identify(ANN, DEVICE), 'joined');
    await turns(5);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    const old = { userId: DEVICE, isAnonymous: true };
    add(anEvent({ ...old, name: 'retried', eventAtMs: NOW_MS - 1 }), 'retried', NOW_MS + 1);
    add(anEvent({ userId: ANN, name: 'after' }), 'after', NOW_MS + 2);
    await turns(5);
    const leave = `leave ${DEVICE} ${ANN}`;
    expect(inputOf(log, 1)).toEqual([leave, 'retried', leave]);
    expect(inputOf(log, 0)).toEqual(['identify']);
    intake.moved(arrivalsIn(log, 1)[1]!);
    await turns(5);
    expect(inputOf(log, 0)).toEqual(['identify', 'after']);
  });

  test('a retried event does not wait for others who are on their way to the survivor’s partition', async () => {
    const { log, intake, add } = stage();
    const [bob, phone] = [idIn(0, 'bob'), idIn(2, 'phone')];
    add(identify(ANN, DEVICE), 'joined');
    await turns(5);
    intake.moved(arrivalsIn(log, 1)[0]!);
    add(identify(bob, phone), 'bob', NOW_MS + 1);
    const old = { userId: DEVICE, isAnonymous: true };
    add(anEvent({ ...old, name: 'retried', eventAtMs: NOW_MS - 1 }), 'retried', NOW_MS + 2);
    await turns(5);
    expect(timesIn(log, 1)).toEqual([
      [RecordKind.leave, 0],
      ['retried', 2, 'ahead'],
      [RecordKind.leave, 2],
    ]);
  });

  test('a later event of the old id is the one user’s at once', async () => {
    const { log, intake, add } = stage();
    add(identify(ANN, DEVICE), 'joined');
    await turns(5);
    intake.moved(arrivalsIn(log, 1)[0]!);
    const laterMs = NOW_MS + 3_600_000;
    const old = { userId: DEVICE, isAnonymous: true };
    add(anEvent({ ...old, name: 'later', eventAtMs: laterMs - 1 }), 'later', laterMs);
    await turns(5);
    expect(inputOf(log, 0)).toEqual(['identify', 'later']);
    expect(inputOf(log, 1)).toHaveLength(1);
  });

  test('a retried event of a chain goes straight to its end', async () => {
    const { log, intake, add } = stage();
    const middle = idIn(2, 'middle');
    add(identify(middle, DEVICE));
    const joins = [{ id: middle, isAnonymous: false }];
    add(anEvent({ kind: RecordKind.alias, userId: ANN, joins }));
    add(anEvent({ userId: DEVICE, isAnonymous: true, name: 'retried', eventAtMs: NOW_MS }));
    add(anEvent({ userId: ANN, name: 'after' }));
    await turns(5);
    // The middle one's leave waits for what comes from the device, and the event for both.
    const first = `leave ${DEVICE} ${middle}`;
    expect([inputOf(log, 1), inputOf(log, 2)]).toEqual([[first], []]);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    expect(inputOf(log, 2)).toEqual(['identify', `leave ${middle} ${ANN}`]);
    expect(inputOf(log, 1)).toEqual([first]);
    intake.moved(arrivalsIn(log, 2)[0]!);
    await turns(5);
    const last = `leave ${DEVICE} ${ANN}`;
    expect(inputOf(log, 1)).toEqual([first, last, 'retried', last]);
    expect(inputOf(log, 0)).toEqual([]);
    intake.moved(arrivalsIn(log, 1).at(-1)!);
    await turns(5);
    expect(inputOf(log, 0)).toEqual(['after']);
  });

  test('nothing leaves before all that came earlier for the survivor is stored', async () => {
    // What moves would stand before what was received before it.
    let letGo: (() => void) | undefined;
    const { log, add } = stage((topic) =>
      topic === 'in.0' ? new Promise((resolve) => (letGo = resolve)) : undefined,
    );
    add(anEvent({ userId: ANN, name: 'before' }));
    add(identify(ANN, DEVICE), 'joined');
    await turns(5);
    expect([inputOf(log, 0), inputOf(log, 1)]).toEqual([[], []]);
    letGo!();
    await turns(5);
    expect([inputOf(log, 0), inputOf(log, 1)]).toEqual([['before'], [`leave ${DEVICE} ${ANN}`]]);
  });

  test('no tick overtakes what leaves, however far the survivor’s partition is ahead', async () => {
    let letGo: (() => void) | undefined;
    const { log, clock, intake, add } = stage((topic) =>
      topic === 'in.0' ? new Promise((resolve) => (letGo = resolve)) : undefined,
    );
    add(anEvent({ userId: ANN, name: 'ahead' }), 'ahead', NOW_MS + 50);
    add(identify(ANN, DEVICE), 'joined', NOW_MS + 10);
    clock.advanceTo(NOW_MS + 60);
    intake.requestTick(1, NOW_MS + 30);
    await turns(5);
    expect(recordsOf(log, 1)).toEqual([]);
    letGo!();
    await turns(5);
    expect(inputOf(log, 1)).toEqual([`leave ${DEVICE} ${ANN}`]);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    expect(timesIn(log, 1)).toEqual([
      [RecordKind.leave, 10],
      [RecordKind.tick, 30],
    ]);
  });

  test('time does not pass what is read again while something newer is held', async () => {
    const { log, clock, intake, add } = stage();
    add(identify(ANN, DEVICE), 'joined', NOW_MS + 50);
    add(anEvent({ userId: ANN, name: 'again' }), 'again', NOW_MS + 10);
    clock.advanceTo(NOW_MS + 60);
    intake.requestTick(0, NOW_MS + 30);
    add(anEvent({ userId: idIn(0, 'other'), name: 'beside' }), 'beside', NOW_MS + 55);
    await turns(5);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    expect(timesIn(log, 0)).toEqual([
      ['beside', 55, 'ahead'],
      [RecordKind.identify, 50, 'ahead'],
      ['again', 10],
      [RecordKind.tick, 30],
    ]);
  });

  test('a retried event has the time of its receipt, however far its partition has come', async () => {
    const { log, intake, add } = stage();
    add(identify(ANN, DEVICE), 'joined');
    await turns(5);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    const neighbour = { userId: idIn(1, 'neighbour') };
    add(anEvent({ ...neighbour, name: 'ahead' }), 'ahead', NOW_MS + 50);
    const old = { userId: DEVICE, isAnonymous: true };
    add(anEvent({ ...old, name: 'retried', eventAtMs: NOW_MS - 1 }), 'retried', NOW_MS + 10);
    add(anEvent({ ...neighbour, name: 'behind' }), 'behind', NOW_MS + 10);
    await turns(5);
    expect(timesIn(log, 1).slice(1)).toEqual([
      ['ahead', 50],
      ['retried', 10, 'ahead'],
      [RecordKind.leave, 50],
      ['behind', 50],
    ]);
  });

  test('an alias that is said again is acknowledged when it is durable', async () => {
    let refusals = 1;
    const { log, clock, intake, add, durable } = stage((topic) => {
      if (topic === 'in.1' && refusals-- > 0) throw new Error('the disk is full');
    });
    const joins = [{ id: DEVICE, isAnonymous: true }];
    const alias = anEvent({ kind: RecordKind.alias, name: '', userId: ANN, joins });
    add(alias, 'first');
    add(alias, 'again');
    await turns(5);
    expect(durable).toEqual(['first failed']);
    clock.advanceTo(NOW_MS + 1_000);
    await turns(5);
    intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    expect(durable).toEqual(['first failed', 'again']);
    expect(inputOf(log, 1)).toHaveLength(2);
  });

  test('an alias leaves no record but the move', async () => {
    const { log, add, durable } = stage();
    const joins = [{ id: DEVICE, isAnonymous: true }];
    add(anEvent({ kind: RecordKind.alias, name: '', userId: ANN, joins }), 'aliased');
    await turns(5);
    expect([inputOf(log, 0), inputOf(log, 1)]).toEqual([[], [`leave ${DEVICE} ${ANN}`]]);
    expect(durable).toEqual(['aliased']);
  });
});
