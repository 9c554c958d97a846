import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type CheckpointDisk,
  systemDisk,
  writeRest,
} from '../../../engine/checkpoint/checkpoint-disk.ts';
import {
  type Checkpoint,
  readCheckpoint,
  writeCheckpoint,
} from '../../../engine/checkpoint/checkpoint-file.ts';
import { CheckpointStore } from '../../../engine/checkpoint/checkpoint-store.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../../support/partition-harness.ts';
import { Prng } from '../../support/prng.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const FOOTER_BYTES = 16;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lapse-checkpoint-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A partition with windows in several slabs, profiles, recent cancels and shapes. */
function busy(events = 3_000): PartitionHarness {
  const harness = new PartitionHarness();
  const rule = inactionOf({ match: { did: 'cart', without: 'cart' }, graceMs: 1_000 });
  harness.define([campaignOf('a', inactionOf()), campaignOf('b', rule)], START_MS);
  step(harness, events, START_MS);
  return harness;
}

function step(harness: PartitionHarness, events: number, fromMs: number): void {
  const prng = new Prng(events);
  for (let i = 0; i < events; i++) {
    const atMs = fromMs + i * 20;
    const user = `u${prng.below(events)}`;
    if (prng.chance(0.1)) harness.identify(user, { n: i, [`p${i % 5}`]: 'é' }, atMs);
    harness.event({
      user,
      name: prng.pick(['did', 'did', 'did', 'without']),
      eventAtMs: atMs - prng.below(8_000),
      receivedAtMs: atMs,
      messageId: `${fromMs}-${prng.below(events * 9)}`,
      cart: `c${prng.below(3)}`,
    });
  }
}

function checkpointOf(harness: PartitionHarness, changes: Partial<Checkpoint> = {}): Checkpoint {
  const { partition } = harness;
  return {
    partition: 3,
    partitionCount: 8,
    offset: partition.offset,
    epoch: 1,
    pipeline: partition.pipeline.freeze(),
    state: partition.state.freeze(),
    ...changes,
  };
}

/** The rest of the story: another wave of events, and time until nothing is open. */
function goOn(harness: PartitionHarness) {
  harness.deliveries.length = 0;
  const fromMs = harness.partition.state.timeMs;
  step(harness, 2_000, fromMs);
  harness.tick(fromMs + 86_400_000);
  expect(harness.partition.state.windows.count).toBe(0);
  return harness.deliveries;
}

describe('checkpoint file', () => {
  test('a busy partition goes on from it as it would have without it', async () => {
    const straight = busy();
    const path = join(folder, 'x');
    await writeCheckpoint(path, checkpointOf(straight));
    const restored = new PartitionHarness();
    const checkpoint = await readCheckpoint(path);
    restored.restore(() => checkpoint);
    expect(restored.partition.state.windows.count).toBe(straight.partition.state.windows.count);
    expect(restored.partition.state.windows.count).toBeGreaterThan(1_000);
    const wanted = goOn(straight);
    expect(wanted.length).toBeGreaterThan(1_000);
    expect(goOn(restored)).toEqual(wanted);
  });

  test('what is written is the moment of the freeze, though the partition goes on meanwhile', async () => {
    const running = busy();
    const frozen = checkpointOf(running);
    const before = join(folder, 'before');
    const after = join(folder, 'after');
    await writeCheckpoint(before, frozen);
    step(running, 2_000, running.partition.state.timeMs);
    running.tick(running.partition.state.timeMs + 300_000);
    await writeCheckpoint(after, frozen);
    expect(Buffer.compare(await readFile(before), await readFile(after))).toBe(0);
  });

  test('no changed byte and no cut goes unnoticed', async () => {
    const path = join(folder, 'x');
    await writeCheckpoint(path, checkpointOf(busy(60)));
    const bytes = await readFile(path);
    const prng = new Prng(1);
    const inFooter = Array.from({ length: FOOTER_BYTES }, (_, i) => bytes.length - 1 - i);
    const inIndex = Array.from({ length: 20 }, (_, i) => bytes.length - FOOTER_BYTES - 1 - i * 9);
    const anywhere = Array.from({ length: 40 }, () => prng.below(bytes.length));
    const damaged = join(folder, 'damaged');
    for (const at of [0, ...inFooter, ...inIndex, ...anywhere]) {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1 << prng.below(8);
      await writeFile(damaged, copy);
      await expect(readCheckpoint(damaged), `byte ${at}`).rejects.toMatchObject({
        code: 'ERR_CHECKPOINT_CORRUPT',
      });
    }
    for (const length of [0, 15, 16, prng.below(bytes.length), bytes.length - 1]) {
      await writeFile(damaged, bytes.subarray(0, length));
      await expect(readCheckpoint(damaged), `${length} bytes`).rejects.toMatchObject({
        code: 'ERR_CHECKPOINT_CORRUPT',
      });
    }
  });
});

describe('checkpoint store', () => {
  const files = async () => (await readdir(join(folder, '3'))).sort();

  async function damage(name: string): Promise<void> {
    const path = join(folder, '3', name);
    const bytes = await readFile(path);
    bytes[100]! ^= 1;
    await writeFile(path, bytes);
  }

  test('keeps two generations; the log may go up to the older one', async () => {
    const store = new CheckpointStore(folder, 3);
    const harness = busy(10);
    expect(await store.save(checkpointOf(harness, { offset: 10 }))).toMatchObject({ trimTo: 0 });
    expect(await store.save(checkpointOf(harness, { offset: 20 }))).toMatchObject({ trimTo: 10 });
    expect(await store.save(checkpointOf(harness, { offset: 30 }))).toMatchObject({ trimTo: 20 });
    expect(await files()).toEqual(['20-1.ckpt', '30-1.ckpt']);
    const { checkpoint, problems } = await new CheckpointStore(folder, 3).load(8);
    expect([checkpoint?.offset, problems]).toEqual([30, []]);
  });

  test('falls back to the older one, and the damaged one no longer counts', async () => {
    const store = new CheckpointStore(folder, 3);
    const harness = busy(10);
    await store.save(checkpointOf(harness, { offset: 10 }));
    await store.save(checkpointOf(harness, { offset: 20 }));
    await damage('20-1.ckpt');
    const { checkpoint, problems } = await store.load(8);
    expect(checkpoint?.offset).toBe(10);
    expect(problems.map(({ code }) => code)).toEqual(['ERR_CHECKPOINT_CORRUPT']);
    // Had the damaged one kept its place, this would be the only whole one, and the log trimmed.
    const saved = await store.save(checkpointOf(harness, { offset: 15, epoch: 2 }));
    expect(saved.trimTo).toBe(10);
    expect(await files()).toEqual(['10-1.ckpt', '15-2.ckpt', '20-1.ckpt.damaged']);
  });

  test('finds nothing, and says why, when all are damaged', async () => {
    const store = new CheckpointStore(folder, 3);
    expect(await store.load(8)).toEqual({ checkpoint: undefined, problems: [] });
    await store.save(checkpointOf(busy(10), { offset: 10 }));
    await damage('10-1.ckpt');
    const { checkpoint, problems } = await store.load(8);
    expect([checkpoint, problems.length]).toEqual([undefined, 1]);
  });

  test('removes what a crash left half written', async () => {
    const store = new CheckpointStore(folder, 3);
    await store.save(checkpointOf(busy(10), { offset: 10 }));
    await writeFile(join(folder, '3', '20-1.ckpt.tmp'), 'half');
    expect((await store.load(8)).checkpoint?.offset).toBe(10);
    expect(await files()).toEqual(['10-1.ckpt']);
  });

  test('leaves no half behind on a disk that is full, and says what it wanted', async () => {
    const disk: CheckpointDisk = {
      ...systemDisk,
      create: async (path) => {
        const file = await systemDisk.create(path);
        const full = Object.assign(new Error('ENOSPC: no space left on device'), {
          code: 'ENOSPC',
        });
        return {
          ...file,
          write: async (parts) => {
            await file.write(parts.slice(0, 1));
            throw full;
          },
        };
      },
    };
    const store = new CheckpointStore(folder, 3, disk);
    await expect(store.save(checkpointOf(busy(10), { offset: 10 }))).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT_WRITE',
      retryable: true,
      message: expect.stringMatching(/^A checkpoint of partition 3 must be written to .*ENOSPC/),
    });
    expect(await files()).toEqual([]);
  });

  test('refuses checkpoints of another number of partitions, and does not start from the log', async () => {
    const store = new CheckpointStore(folder, 3);
    await store.save(checkpointOf(busy(10), { offset: 10 }));
    await expect(store.load(16)).rejects.toMatchObject({ code: 'ERR_PARTITION_COUNT' });
  });

  test('sets a checkpoint of another partition aside', async () => {
    const store = new CheckpointStore(folder, 3);
    await store.save(checkpointOf(busy(10), { partition: 4, offset: 10 }));
    const { checkpoint, problems } = await store.load(8);
    expect([checkpoint, problems[0]?.code]).toEqual([undefined, 'ERR_CHECKPOINT_CORRUPT']);
  });

  test('refuses a checkpoint of another format, and keeps it', async () => {
    const store = new CheckpointStore(folder, 3);
    await store.save(checkpointOf(busy(10), { offset: 10 }));
    const path = join(folder, '3', '10-1.ckpt');
    const bytes = await readFile(path);
    const at = bytes.indexOf('"formatVersion":') + '"formatVersion":'.length;
    bytes.write('9', at);
    const indexEnd = bytes.length - FOOTER_BYTES;
    const index = bytes.subarray(indexEnd - bytes.readUInt32LE(indexEnd), indexEnd);
    bytes.writeUInt32LE(crc32(index), indexEnd + 4);
    await writeFile(path, bytes);
    await expect(store.load(8)).rejects.toMatchObject({ code: 'ERR_CHECKPOINT_VERSION' });
    expect(await files()).toEqual(['10-1.ckpt']);
  });
});

test('the rest is written, when a disk takes only the beginning of what it is given', async () => {
  const parts = ['abc', 'defg', '', 'hij'].map((text) => Buffer.from(text));
  const whole = parts.join('');
  for (let taken = 0; taken <= whole.length; taken++) {
    let written = whole.slice(0, taken);
    await writeRest(parts, taken, async (rest) => {
      const next = Buffer.from(rest).subarray(0, 2).toString();
      written += next;
      return { bytesWritten: next.length };
    });
    expect(written).toBe(whole);
  }
});
