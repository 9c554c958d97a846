import { describe, expect, test } from 'vitest';
import type { LapseError } from '../../../engine/errors/errors.ts';
import type { Log } from '../../../engine/log/log.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { claimPartition, takeEpoch } from '../../../engine/log/ownership.ts';
import { LaneOwner } from '../../../engine/sender/lane-owner.ts';
import { topicsOf } from '../../../engine/sender/lane-topics.ts';
import { Prng } from '../../support/prng.ts';
import { ManualClock } from '../intake/intake-clock.ts';

const PARTITIONS = 5;
const LANES = ['crm', 'mail', 'push'];
const SEEDS = Array.from({ length: 200 }, (_, i) => i + 1);

const clock = new ManualClock(1_000);

/** Answers after a drawn number of turns, so that callers come in any order. */
function slow(log: Log, prng: Prng): Log {
  const turns = async () => {
    for (let left = prng.below(12); left > 0; left--) await Promise.resolve();
  };
  return new Proxy(log, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        await turns();
        const result: unknown = await Reflect.apply(value, target, args);
        await turns();
        return result;
      };
    },
  });
}

function takeLane(log: Log, webhookId: string, epoch: number): Promise<LaneOwner> {
  return LaneOwner.take({
    log,
    clock,
    epoch,
    topics: topicsOf(webhookId),
    claim: new Uint8Array([1]),
    isStopped: () => false,
    onUnavailable: () => undefined,
  });
}

/** @returns its epoch and whether all is its own */
async function start(log: Log): Promise<{ epoch: number; refusals: string[] }> {
  const epoch = await takeEpoch(log, clock);
  const claims = [
    ...LANES.map((lane) => takeLane(log, lane, epoch)),
    ...Array.from({ length: PARTITIONS }, (_, partition) =>
      claimPartition(log, clock, { partition, epoch }),
    ),
  ];
  const settled = await Promise.allSettled<unknown>(claims);
  const refusals = settled.flatMap((one) =>
    one.status === 'rejected' ? [(one.reason as LapseError).code] : [],
  );
  return { epoch, refusals };
}

describe('ownership', () => {
  test.each(SEEDS)('of several that start at once the newest has all, seed %i', async (seed) => {
    const prng = new Prng(seed);
    const log = new MemoryLog({ partitionCount: PARTITIONS });
    const owners = await Promise.all(
      Array.from({ length: 2 + prng.below(4) }, () => start(slow(log, prng))),
    );
    const epochs = owners.map(({ epoch }) => epoch);
    expect(new Set(epochs).size).toBe(owners.length);
    const newest = Math.max(...epochs);
    expect(owners.find(({ epoch }) => epoch === newest)?.refusals).toEqual([]);
    expect(new Set(owners.flatMap(({ refusals }) => refusals))).toSatisfy(
      (codes: Set<string>) => codes.size === 0 || (codes.size === 1 && codes.has('ERR_FENCED')),
    );
    for (let partition = 0; partition < PARTITIONS; partition++) {
      expect(await log.epochOf(partition)).toBe(newest);
    }
    for (const lane of LANES) {
      expect((await log.positionOf(topicsOf(lane).done, 0))?.epoch).toBe(newest);
    }
  });

  test('an epoch is above every claim, whoever made it', async () => {
    const log = new MemoryLog({ partitionCount: PARTITIONS });
    await log.claim(3, 17, new Uint8Array([1]));
    expect(await takeEpoch(log, clock)).toBe(18);
    expect(await takeEpoch(log, clock)).toBe(19);
  });

  test('one that has only taken its epoch has taken nothing from the owner', async () => {
    const log = new MemoryLog({ partitionCount: PARTITIONS });
    const { epoch } = await start(log);
    await takeEpoch(log, clock);
    expect(await log.epochOf(0)).toBe(epoch);
    await expect(takeLane(log, 'crm', epoch)).resolves.toBeInstanceOf(LaneOwner);
  });

  test('of the epochs taken only the last one is kept', async () => {
    const log = new MemoryLog({ partitionCount: PARTITIONS });
    for (let n = 0; n < 5; n++) await takeEpoch(log, clock);
    expect(await log.head('owner')).toBe(await log.tail('owner'));
  });
});
