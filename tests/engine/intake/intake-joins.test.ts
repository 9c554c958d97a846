import { describe, expect, test } from 'vitest';
import { RecordKind } from '../../../engine/envelope/records.ts';
import {
  ANN,
  arrivalsIn,
  DEVICE,
  identify,
  idIn,
  inputOf,
  NOW_MS,
  stage,
  timesIn,
  turns,
} from './intake-joins-stage.ts';
import { anEvent, recordsOf } from './intake-records.ts';

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
      [RecordKind.leave, 1, 'ahead'],
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
      [RecordKind.leave, 10, 'ahead'],
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

  test('an alias leaves no record but the move', async () => {
    const { log, add, durable } = stage();
    const joins = [{ id: DEVICE, isAnonymous: true }];
    add(anEvent({ kind: RecordKind.alias, name: '', userId: ANN, joins }), 'aliased');
    await turns(5);
    expect([inputOf(log, 0), inputOf(log, 1)]).toEqual([[], [`leave ${DEVICE} ${ANN}`]]);
    expect(durable).toEqual(['aliased']);
  });
});
