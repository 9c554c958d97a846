import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCheckpoint, writeCheckpoint } from '../../../engine/checkpoint/checkpoint-file.ts';
import {
  InactionModel,
  type ModelCampaign,
  type ModelEvent,
} from '../../support/inaction-model.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../../support/partition-harness.ts';
import { Prng } from '../../support/prng.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const SEEDS = 150;
const STEPS = 250;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lapse-model-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function drawCampaigns(prng: Prng): ModelCampaign[] {
  return Array.from({ length: 1 + prng.below(4) }, (_, i) => {
    const withinMs = prng.pick([1_000, 10_000, 60_000, 600_000]);
    return {
      id: `c${i}`,
      publishedAtMs: START_MS,
      rule: inactionOf({
        withinMs,
        onRepeat: prng.pick(['restart', 'keepFirst', 'parallel'] as const),
        graceMs: prng.pick([0, 0, 2_000]),
        maxExtendMs: withinMs * prng.pick([1, 3, 10]),
        did: { event: prng.pick(['did', 'without', 'other']) },
        without: prng.pick([[{ event: 'without' }], [{ event: 'without' }, { event: 'other' }]]),
        ...(prng.chance(0.4) ? { match: { did: 'cart', without: 'cart' } } : {}),
      }),
    };
  });
}

function drawEvent(prng: Prng, receivedAtMs: number, number: number): ModelEvent {
  return {
    user: `u${prng.below(4)}`,
    name: prng.pick(['did', 'did', 'without', 'other', 'unasked']),
    eventAtMs: receivedAtMs - (prng.chance(0.5) ? 0 : prng.below(2 ** prng.below(20))),
    receivedAtMs,
    messageId: prng.chance(0.1) ? `m${prng.below(number + 1)}` : `m${number}`,
    ...(prng.chance(0.8) ? { cart: prng.pick(['x', 'y']) } : {}),
    ...(prng.chance(0.05) ? { historyOnly: true } : {}),
  };
}

/** Runs a seed; with `restarts` the partition is written to disk and read back now and then. */
async function runSeed(seed: number, restarts: boolean): Promise<void> {
  const prng = new Prng(seed);
  const luck = new Prng(seed + 1_000_000);
  const campaigns = drawCampaigns(prng);
  const model = new InactionModel(campaigns);
  const harness = new PartitionHarness();
  harness.define(
    campaigns.map(({ id, rule }) => campaignOf(id, rule)),
    START_MS,
  );
  let nowMs = START_MS;
  for (let step = 0; step < STEPS; step++) {
    nowMs += prng.chance(0.3) ? 0 : prng.below(2 ** prng.below(16));
    if (prng.chance(0.15)) {
      harness.tick(nowMs);
      model.passTime(nowMs);
      nowMs++;
    } else {
      const event = drawEvent(prng, nowMs, step);
      harness.event(event);
      model.event(event);
    }
    expect(harness.partition.state.windows.count, `seed ${seed} step ${step}`).toBe(
      model.openWindows,
    );
    if (restarts && luck.chance(0.05)) await throughDisk(harness, seed);
  }
  harness.tick(nowMs + 86_400_000);
  model.passTime(nowMs + 86_400_000);
  const got = harness.qualifications.map(({ atMs, campaignId, userId }, i) => {
    const body = JSON.parse(harness.deliveries[i]!.body) as { Event_properties: { id: string } };
    return { campaignId, user: userId, atMs, newest: body.Event_properties.id };
  });
  const wanted = model.qualifications.map(({ opener: _, ...rest }) => rest);
  const inOrder = (list: readonly { atMs: number; user: string; campaignId: string }[]) =>
    list.map(({ atMs, user, campaignId }) => `${atMs} ${user} ${campaignId}`);
  expect(inOrder(got), `seed ${seed}: in order of due time, user, campaign`).toEqual(
    inOrder(wanted),
  );
  const order = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  expect(got.sort(order), `seed ${seed}`).toEqual(wanted.sort(order));
  expect(harness.partition.state.windows.count, `seed ${seed}: nothing is left`).toBe(0);
  const ids = new Set(harness.deliveries.map(({ id }) => id));
  expect(ids.size, `seed ${seed}: ids are unique`).toBe(harness.deliveries.length);
}

async function throughDisk(harness: PartitionHarness, seed: number): Promise<void> {
  const path = join(folder, `${seed}.ckpt`);
  const { partition } = harness;
  await writeCheckpoint(path, {
    partition: 0,
    partitionCount: 1,
    offset: partition.offset,
    epoch: 1,
    state: partition.state.freeze(),
    pipeline: partition.pipeline.freeze(),
  });
  partition.state.thaw();
  const { state, pipeline, offset } = await readCheckpoint(path);
  harness.restore(() => ({ state, pipeline, offset }));
}

describe('inaction in a partition', () => {
  test('agrees with the slow model over random campaigns and events', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) await runSeed(seed, false);
  });

  test('agrees with the slow model when it goes through checkpoints on disk', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) await runSeed(seed, true);
  });
});
