import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeCheckpoint, writeCheckpoint } from '../../../engine/checkpoint/checkpoint-file.ts';
import { CheckpointStore } from '../../../engine/checkpoint/checkpoint-store.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const FOOTER_BYTES = 16;
const PARTITION = 3;
const PARTITIONS = 8;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lapse-index-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function fileOf(offset: number, path: string): Promise<Buffer> {
  const harness = new PartitionHarness();
  harness.define([campaignOf('a', inactionOf())], START_MS);
  for (let i = 0; i < 5; i++) harness.send({ userId: `u${i}`, messageId: `m${i}` }, START_MS + i);
  const { partition } = harness;
  await writeCheckpoint(path, {
    partition: PARTITION,
    partitionCount: PARTITIONS,
    offset,
    epoch: 1,
    pipeline: partition.pipeline.freeze(),
    state: partition.state.freeze(),
  });
  return readFile(path);
}

/** The same sections with another index, whose checksum is right. */
function withIndex(whole: Buffer, change: (index: string) => string): Buffer {
  const end = whole.length - FOOTER_BYTES;
  const start = end - whole.readUInt32LE(end);
  const index = Buffer.from(change(whole.toString('utf8', start, end)));
  const footer = Buffer.from(whole.subarray(end));
  footer.writeUInt32LE(index.length, 0);
  footer.writeUInt32LE(crc32(index), 4);
  return Buffer.concat([whole.subarray(0, start), index, footer]);
}

test('checkpoint index: one that is well kept and says nonsense is refused', async () => {
  const whole = await fileOf(1, join(folder, 'x'));
  expect(
    decodeCheckpoint(
      'x',
      withIndex(whole, (index) => index),
    ).offset,
  ).toBe(1);
  const isCorrupt = expect.objectContaining({ code: 'ERR_CHECKPOINT_CORRUPT' }) as Error;
  const changes: readonly [string, (index: string) => string][] = [
    ['no JSON', (index) => index.slice(1)],
    ['null', () => 'null'],
    [
      'no version',
      (index) => index.replace(/"formatVersion":\d+/, '"formatVersion":{"toString":0}'),
    ],
    ['more slots than slabs', (index) => index.replace(/"slotsUsed":5/, '"slotsUsed":99999')],
    ['a slab that is not there', (index) => index.replace(/"slabs":1/, '"slabs":2')],
    ['slabs by the million', (index) => index.replace(/"slabs":1/, '"slabs":1e9')],
    ['a length below 0', (index) => index.replace(/"slabs":1/, '"slabs":-1')],
    ['fewer ids than the block holds', (index) => index.replace(/"count":5/, '"count":0')],
    ['no dedupe', (index) => index.replace(/"dedupe":\[/, '"duped":[')],
    ['shapes of numbers', (index) => index.replace(/"shapes":\[\[\]/, '"shapes":[[1]')],
    ['no time', (index) => index.replace(/"timeMs":\d+/, '"timeMs":null')],
    ['an end before the first place', (index) => index.replace(/"end":\d+/, '"end":0')],
  ];
  for (const [what, change] of changes) {
    const forged = withIndex(whole, change);
    expect(forged.equals(whole), `${what} must change something`).toBe(false);
    expect(() => decodeCheckpoint('x', forged), what).toThrow(isCorrupt);
  }
});

test('checkpoint index: a generation whose index is nonsense is set aside for the one before', async () => {
  const partition = join(folder, String(PARTITION));
  await mkdir(partition);
  await fileOf(1, join(partition, '1-1.ckpt'));
  const newer = await fileOf(2, join(partition, '2-1.ckpt'));
  await writeFile(
    join(partition, '2-1.ckpt'),
    withIndex(newer, (index) => index.slice(1)),
  );
  const { checkpoint, problems } = await new CheckpointStore(folder, PARTITION).load(PARTITIONS);
  expect(checkpoint?.offset).toBe(1);
  expect(problems.map(({ code }) => code)).toEqual(['ERR_CHECKPOINT_CORRUPT']);
});
