import { describe, expect, test } from 'vitest';
import { ENVELOPE_RECORDS_MAX } from '../../../engine/envelope/envelope-layout.ts';
import { externalError } from '../../../engine/errors/errors.ts';
import { MemoryLog, type MemoryLogOptions } from '../../../engine/log/memory-log.ts';
import { OutputLanes, type OutputLanesOptions } from '../../../engine/partition/output-lanes.ts';
import { OutputRoom } from '../../../engine/partition/output-room.ts';
import { ManualClock } from '../intake/intake-clock.ts';

const RETRY_MS = 250;
const encoder = new TextEncoder();

/** Outputs are numbers here: the n-th of them is owed by input offset n, ordinal 0. */
function stage(options: Partial<MemoryLogOptions> = {}) {
  const clock = new ManualClock(0);
  const log = new MemoryLog({ partitionCount: 1, ...options });
  const failures: unknown[] = [];
  const open = (epoch: number, changes: Partial<OutputLanesOptions> = {}) =>
    new OutputLanes({
      log,
      clock,
      partition: 0,
      epoch,
      encode: (_topic, outputs) => encoder.encode(JSON.stringify(outputs)),
      onRoom: () => undefined,
      onFailure: (error) => failures.push(error),
      ...changes,
    });
  const stored = (lane = 'a'): number[] => {
    const reader = log.read(`out.${lane}`, 0, () => undefined);
    const all: number[] = [];
    for (let one = reader.poll(); one !== undefined; one = reader.poll()) {
      all.push(...(JSON.parse(new TextDecoder().decode(one.bytes)) as number[]));
    }
    return all;
  };
  return { clock, log, failures, open, stored };
}

function addAll(lanes: OutputLanes, from: number, to: number, lane = 'a'): number[] {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i);
  for (const number of numbers) lanes.add(`out.${lane}`, number, number, 0);
  lanes.flush();
  return numbers;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 60; i++) await Promise.resolve();
}

describe('output lanes', () => {
  test('keep order, with one append in flight a lane', async () => {
    const inFlight = new Map<string, number>();
    const { open, stored } = stage({
      beforeStore: async (topic) => {
        inFlight.set(topic, (inFlight.get(topic) ?? 0) + 1);
        expect(inFlight.get(topic)).toBe(1);
        await settle();
      },
      afterStore: (topic) => {
        inFlight.set(topic, inFlight.get(topic)! - 1);
      },
    });
    const lanes = open(1);
    for (let i = 1; i <= 50; i++) {
      lanes.add(i % 2 === 0 ? 'out.a' : 'out.b', i, i, 0);
      lanes.flush();
      if (i % 7 === 0) await settle();
    }
    await lanes.drained();
    expect(stored('a')).toEqual(Array.from({ length: 25 }, (_, i) => 2 * i + 2));
    expect(stored('b')).toEqual(Array.from({ length: 25 }, (_, i) => 2 * i + 1));
    expect([lanes.waiting, lanes.appended]).toEqual([0, 50]);
  });

  test('an append that failed is repeated later, one whose answer was lost stores nothing twice', async () => {
    let faults = ['before', 'after'];
    const fail = (when: string) => {
      if (faults[0] !== when) return;
      faults = faults.slice(1);
      throw externalError('ERR_LOG_UNAVAILABLE', 'away');
    };
    const { open, stored, clock, failures } = stage({
      beforeStore: () => fail('before'),
      afterStore: () => fail('after'),
    });
    const lanes = open(1);
    const wanted = addAll(lanes, 1, 5);
    await settle();
    expect(stored()).toEqual([]);
    clock.advanceTo(RETRY_MS);
    await settle();
    expect([stored(), lanes.waiting]).toEqual([wanted, wanted.length]);
    clock.advanceTo(2 * RETRY_MS);
    await lanes.drained();
    expect([stored(), failures]).toEqual([wanted, []]);
  });

  test('a newer epoch stops them, and whoever waits learns', async () => {
    const { open, stored, failures } = stage();
    const old = open(1);
    addAll(old, 1, 3);
    await old.drained();
    const next = open(2);
    addAll(next, 1, 5);
    await next.drained();
    addAll(old, 3, 9);
    await expect(old.drained()).rejects.toMatchObject({ code: 'ERR_LANES_STOPPED' });
    expect(failures).toMatchObject([{ code: 'ERR_FENCED' }]);
    expect(stored()).toEqual([1, 2, 3, 4]);
  });

  test('a replay leaves out what stands there, wherever it was cut', async () => {
    for (let cut = 0; cut <= 6; cut++) {
      const { open, stored } = stage();
      const old = open(1);
      addAll(old, 1, 1 + cut);
      await old.drained();
      old.stop();
      const next = open(2);
      const wanted = addAll(next, 1, 7);
      await next.drained();
      expect([stored(), next.replayed]).toEqual([wanted, cut]);
    }
  });

  test('what an older owner writes after the position was asked does not stand twice', async () => {
    let open!: () => void;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const world = stage({ beforeStore: () => gate });
    addAll(world.open(1), 1, 4);
    await settle();
    const next = world.open(2);
    const wanted = addAll(next, 1, 7);
    await settle();
    open();
    await next.drained();
    expect([world.stored(), world.failures]).toEqual([wanted, []]);
    expect(next.replayed).toBe(3);
  });

  test('an append to an input has no more records than an envelope', async () => {
    const counts: number[] = [];
    const { open } = stage();
    const encode = (_topic: string, outputs: readonly unknown[]) => {
      counts.push(outputs.length);
      return encoder.encode('-');
    };
    const lanes = open(1, { encode });
    for (let i = 1; i <= 2 * ENVELOPE_RECORDS_MAX + 1; i++) lanes.add('in.0', i, i, 0);
    await lanes.drained();
    expect(counts).toEqual([ENVELOPE_RECORDS_MAX, ENVELOPE_RECORDS_MAX, 1]);
  });

  test('drained waits for what was added so far, not for what is added meanwhile', async () => {
    const { open } = stage();
    const lanes = open(1);
    addAll(lanes, 1, 3);
    let isDrained = false;
    void lanes.drained().then(() => {
      isDrained = true;
    });
    // Something always waits: under load a checkpoint would otherwise never be written.
    for (let i = 3; i < 200; i++) {
      addAll(lanes, i, i + 1);
      await Promise.resolve();
      expect(lanes.waiting).toBeGreaterThan(0);
    }
    expect(isDrained).toBe(true);
  });

  test('take no more than 20,000 at once', () => {
    const lanes = stage().open(1);
    addAll(lanes, 1, 20_000);
    expect(lanes.hasRoom).toBe(true);
    addAll(lanes, 20_000, 20_001);
    expect(lanes.hasRoom).toBe(false);
  });

  test('share the room of their thread, in which each keeps a little of its own', async () => {
    const outputsMax = 1_000;
    const ownMin = 64;
    const room = new OutputRoom({ outputsMax });
    const { open } = stage({ partitionCount: 2 });
    const told: string[] = [];
    const one = open(1, { room, onRoom: () => told.push('one') });
    const other = open(1, { room, partition: 1, onRoom: () => told.push('other') });
    addAll(one, 0, outputsMax);
    expect([one.hasRoom, other.hasRoom]).toEqual([false, true]);
    addAll(other, 0, ownMin, 'b');
    expect(other.hasRoom).toBe(false);
    await Promise.all([one.drained(), other.drained()]);
    expect([one.hasRoom, other.hasRoom]).toEqual([true, true]);
    expect(new Set(told)).toEqual(new Set(['one', 'other']));
  });

  test('one that stops gives its room back', () => {
    const room = new OutputRoom({ outputsMax: 10 });
    const { open } = stage();
    const lanes = open(1, { room });
    addAll(lanes, 0, 10);
    expect(room.isFree).toBe(false);
    lanes.stop();
    lanes.stop();
    expect(room.isFree).toBe(true);
    for (let i = 0; i < 9; i++) room.take(0);
    expect(room.isFree).toBe(true);
  });

  test('an envelope holds what fits a message, however large the outputs are', async () => {
    const outputBytes = 100 * 1024;
    const perEnvelope = Math.floor((256 * 1024) / outputBytes);
    const encoded: number[] = [];
    const { open, stored } = stage();
    const lanes = open(1, {
      bytesOf: () => outputBytes,
      encode: (_topic, outputs) => {
        encoded.push(outputs.length);
        return encoder.encode(JSON.stringify(outputs));
      },
    });
    const wanted = addAll(lanes, 1, 8);
    await lanes.drained();
    expect(stored()).toEqual(wanted);
    expect(Math.max(...encoded)).toBe(perEnvelope);
  });

  test('one output that is larger than that goes alone', async () => {
    const { open, stored } = stage();
    const lanes = open(1, { bytesOf: () => 2 ** 20 });
    const wanted = addAll(lanes, 1, 4);
    await lanes.drained();
    expect(stored()).toEqual(wanted);
  });
});
