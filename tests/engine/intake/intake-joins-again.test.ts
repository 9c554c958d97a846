import { describe, expect, test } from 'vitest';
import { RecordKind } from '../../../engine/envelope/records.ts';
import {
  ANN,
  arrivalsIn,
  DEVICE,
  identify,
  inputOf,
  NOW_MS,
  stage,
  turns,
} from './intake-joins-stage.ts';
import { anEvent } from './intake-records.ts';

describe('a join at the intake, when the log does not take it', () => {
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
});
