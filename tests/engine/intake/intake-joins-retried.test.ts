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
import { anEvent } from './intake-records.ts';

describe('an event of an old id, at the intake', () => {
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
      [RecordKind.leave, 0, 'ahead'],
      ['retried', 2, 'ahead'],
      [RecordKind.leave, 2, 'ahead'],
    ]);
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
      ['behind', 50],
      ['retried', 10, 'ahead'],
      [RecordKind.leave, 50],
    ]);
  });
});
