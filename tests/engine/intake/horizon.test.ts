import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Horizon } from '../../../engine/intake/horizon.ts';
import { ManualClock } from './intake-clock.ts';

const START_MS = 1_000_000;
const DEADLINE_MS = START_MS + 500;

describe('horizon', () => {
  test('a wait ends one ms behind its instant, when no door has a clock of its own', () => {
    const clock = new ManualClock(START_MS);
    const horizon = new Horizon(clock);
    let endedAtMs = 0;
    horizon.wait(DEADLINE_MS, () => {
      endedAtMs = clock.now();
    });
    clock.advanceTo(DEADLINE_MS);
    expect(endedAtMs).toBe(0);
    clock.advanceTo(DEADLINE_MS + 10);
    expect(endedAtMs).toBe(DEADLINE_MS + 1);
    expect(clock.timerCount).toBe(0);
  });

  test('a wait ends at once, when its instant has passed', () => {
    const horizon = new Horizon(new ManualClock(START_MS));
    let ended = 0;
    horizon.wait(START_MS - 1, () => ended++);
    expect(ended).toBe(1);
  });

  test('a wait ends, when its instant passes while it is looked at', () => {
    const alarms: (() => void)[] = [];
    let nowMs = START_MS;
    // Every look finds it a millisecond later.
    const horizon = new Horizon({
      now: () => nowMs++,
      at: (_atMs, callback) => {
        alarms.push(callback);
        return () => undefined;
      },
    });
    let ended = 0;
    horizon.wait(START_MS, () => ended++);
    for (const alarm of alarms.splice(0)) alarm();
    expect(ended).toBe(1);
  });

  test('waits end in order of time, of equal times in order of asking', () => {
    const clock = new ManualClock(START_MS);
    const horizon = new Horizon(clock);
    const ended: string[] = [];
    horizon.wait(DEADLINE_MS, () => ended.push('b'));
    horizon.wait(DEADLINE_MS, () => ended.push('c'));
    horizon.wait(DEADLINE_MS - 1, () => ended.push('a'));
    clock.advanceTo(DEADLINE_MS + 1);
    expect(ended).toEqual(['a', 'b', 'c']);
  });

  test('a wait may be asked for while another ends', () => {
    const clock = new ManualClock(START_MS);
    const horizon = new Horizon(clock);
    const ended: number[] = [];
    const again = () => {
      ended.push(clock.now());
      if (ended.length < 3) horizon.wait(clock.now() + 10, again);
    };
    horizon.wait(START_MS, again);
    clock.advanceTo(START_MS + 100);
    expect(ended).toEqual([START_MS + 1, START_MS + 12, START_MS + 23]);
  });

  test('a door that is behind holds waits back and is asked, when their instant has passed', () => {
    const clock = new ManualClock(START_MS);
    const horizon = new Horizon(clock);
    let asked = 0;
    const door = horizon.join(() => asked++);
    let ended = 0;
    horizon.wait(DEADLINE_MS, () => ended++);
    expect(horizon.isCatchingUp).toBe(true);
    expect(asked).toBe(0);
    clock.advanceTo(DEADLINE_MS + 1);
    expect([ended, asked]).toEqual([0, 1]);
    door.passed(DEADLINE_MS);
    expect([ended, asked]).toEqual([0, 2]);
    expect(horizon.atMs).toBe(DEADLINE_MS);
    door.passed(DEADLINE_MS + 1);
    expect(ended).toBe(1);
  });

  test('a door is asked again when the clock was set back while it was asked', () => {
    const clock = new ManualClock(START_MS);
    const horizon = new Horizon(clock);
    let asked = 0;
    let ended = 0;
    const door = horizon.join(() => asked++);
    door.passed(START_MS + 1);
    clock.advanceTo(DEADLINE_MS + 1);
    horizon.wait(DEADLINE_MS, () => ended++);
    expect(asked).toBe(1);
    clock.advanceTo(START_MS);
    // It says how far it was when it was asked, by the clock as it was set.
    door.passed(START_MS);
    clock.advanceTo(DEADLINE_MS + 1);
    expect([ended, asked]).toEqual([0, 2]);
    door.passed(DEADLINE_MS + 1);
    expect(ended).toBe(1);
  });

  test('of any history, no wait ends before both the clock and the door have passed it', () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('wait'), ms: fc.nat(100) }),
      fc.record({ what: fc.constant('advance'), ms: fc.nat(20) }),
      fc.record({ what: fc.constant('door'), ms: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new ManualClock(START_MS);
        const horizon = new Horizon(clock);
        const door = horizon.join(() => undefined);
        let doorMs = START_MS;
        let waits = 0;
        let ended = 0;
        door.passed(doorMs);
        for (const { what, ms } of steps) {
          if (what === 'advance') clock.advanceTo(clock.now() + ms);
          else if (what === 'door') {
            doorMs += ms;
            door.passed(doorMs);
          } else {
            const atMs = START_MS + ms;
            waits++;
            horizon.wait(atMs, () => {
              ended++;
              expect(atMs).toBeLessThan(clock.now());
              expect(atMs).toBeLessThan(doorMs);
            });
          }
        }
        clock.advanceTo(START_MS + 10_000);
        doorMs = START_MS + 10_000;
        door.passed(doorMs);
        expect(ended).toBe(waits);
        expect(horizon.waitingCount).toBe(0);
      }),
    );
  });
});
