import { describe, expect, test } from 'vitest';
import { Readiness, STILL_MS_MAX } from '../../../app/serve/readiness.ts';
import { Conditions } from '../../../engine/health/conditions.ts';
import type { PartitionStats } from '../../../engine/worker/protocol.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const START_MS = 1_000_000;
const LOOK_MS = 1_000;
const SILENT_MS = 6 * LOOK_MS;

function stage() {
  const clock = new ManualClock(START_MS);
  const told: string[] = [];
  const conditions = new Conditions(clock, {
    began: ({ cause }) => told.push(cause),
    over: ({ cause }) => told.push(`${cause} over`),
  });
  const intake = { isCatchingUp: false };
  const partitions = { stats: [] as PartitionStats[] };
  const sender: { stats: unknown } = { stats: undefined };
  const readiness = new Readiness({ clock, conditions, intake, partitions, sender });
  const hear = (stillMs = 0) => {
    partitions.stats = [{ stillMs } as PartitionStats];
    sender.stats = {};
  };
  /** Time goes by, in which the threads are heard of or not. */
  const goBy = (ms: number, isHeard = true) => {
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      if (isHeard) hear();
      clock.advanceTo(clock.now() + LOOK_MS);
    }
  };
  const causes = () => readiness.reasons().map(({ cause }) => cause);
  return { clock, told, conditions, intake, readiness, hear, goBy, causes };
}

describe('readiness', () => {
  test('is there from the start of everything to the beginning of its end', () => {
    const { told, readiness, causes } = stage();
    expect(causes()).toEqual(['starting']);
    readiness.started();
    expect(causes()).toEqual([]);
    readiness.stopping();
    expect(causes()).toEqual(['stopping']);
    expect(told).toEqual([]);
  });

  test('is lost at once while a door reads a backlog, and back at once', () => {
    const { readiness, intake, causes } = stage();
    readiness.started();
    intake.isCatchingUp = true;
    expect(causes()).toEqual(['door-behind']);
    intake.isCatchingUp = false;
    expect(causes()).toEqual([]);
  });

  test('does not say that a door reads while NATS is away', () => {
    const { readiness, conditions, intake, causes } = stage();
    readiness.started();
    intake.isCatchingUp = true;
    conditions.from('door').begin('nats-away', '', 'NATS is away.');
    expect(causes()).toEqual(['nats-away']);
  });

  test('is lost while timers stand still', () => {
    const { readiness, hear, causes } = stage();
    readiness.started();
    hear(STILL_MS_MAX);
    expect(causes()).toEqual([]);
    hear(STILL_MS_MAX + 1);
    expect(causes()).toEqual(['timers-late']);
    hear();
    expect(causes()).toEqual([]);
  });

  test('is lost when threads have said nothing for some seconds, until they do', () => {
    const { told, readiness, goBy, causes } = stage();
    readiness.started();
    goBy(10 * LOOK_MS);
    expect(causes()).toEqual([]);
    goBy(SILENT_MS, false);
    expect(causes()).toEqual(['partition-stopped', 'sender-stuck']);
    goBy(LOOK_MS);
    expect(causes()).toEqual([]);
    expect(told).toEqual([
      'partition-stopped',
      'sender-stuck',
      'partition-stopped over',
      'sender-stuck over',
    ]);
  });

  test('is not lost by a main thread that was busy itself and has heard of nobody', () => {
    const { clock, readiness, goBy, causes } = stage();
    readiness.started();
    goBy(2 * LOOK_MS);
    // One look only, however late: what the threads said meanwhile is read after it.
    clock.advanceTo(clock.now() + LOOK_MS);
    expect(causes()).toEqual([]);
  });
});
