/** A checkpoint with one bit of one byte turned over, byte by byte: never taken for whole. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CheckpointDisk, systemDisk } from '../../../engine/checkpoint/checkpoint-disk.ts';
import { readCheckpoint, writeCheckpoint } from '../../../engine/checkpoint/checkpoint-file.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const USERS = 40;
/** Every byte with `npm run faults`; else one in so many, and all of the index and the end. */
const STRIDE = process.env.LAPSE_FAULTS_TIMES === undefined ? 97 : 1;
const TIMEOUT_MS = 600_000;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lapse-every-byte-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function harnessWithAllKinds(): PartitionHarness {
  const harness = new PartitionHarness();
  harness.define([campaignOf('a', inactionOf())], START_MS);
  for (let i = 0; i < USERS; i++) {
    const atMs = START_MS + i;
    harness.identify(`u${i}`, { plan: 'pro', visits: i }, atMs);
    const name = i % 4 === 0 ? 'without' : 'did';
    const event = { user: `u${i}`, name, eventAtMs: atMs, receivedAtMs: atMs };
    harness.event({ ...event, messageId: `m${i}`, cart: 'c' });
  }
  return harness;
}

test(
  'checkpoint file: is refused whichever of its bytes is damaged',
  async () => {
    const { partition } = harnessWithAllKinds();
    const path = join(folder, 'one.ckpt');
    await writeCheckpoint(path, {
      partition: 0,
      partitionCount: 1,
      offset: partition.offset,
      epoch: 1,
      pipeline: partition.pipeline.freeze(),
      state: partition.state.freeze(),
    });
    const bytes = await readFile(path);
    const disk: CheckpointDisk = { ...systemDisk, read: () => Promise.resolve(bytes) };
    await readCheckpoint(path, disk);
    const sectionsEnd = bytes.indexOf('{"formatVersion"');
    expect(sectionsEnd).toBeGreaterThan(0);
    const taken: number[] = [];
    let tried = 0;
    for (let at = 0; at < bytes.length; at += at < sectionsEnd ? STRIDE : 1) {
      const bit = 1 << (at % 8);
      bytes[at]! ^= bit;
      const code = await readCheckpoint(path, disk).then(
        () => 'taken',
        (error: { code?: string }) => error.code,
      );
      if (code !== 'ERR_CHECKPOINT_CORRUPT') taken.push(at);
      bytes[at]! ^= bit;
      tried++;
    }
    console.info(`${tried} of ${bytes.length} bytes damaged, ${taken.length} taken for whole`);
    expect(taken).toEqual([]);
  },
  TIMEOUT_MS,
);
