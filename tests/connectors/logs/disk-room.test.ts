import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DiskRoom } from '../../../connectors/logs/embedded/disk-room.ts';
import { fileUsage } from '../../../connectors/logs/embedded/lmdb-schema.ts';
import { Storage } from '../../../connectors/logs/embedded/storage.ts';
import {
  openStorageFolder,
  type StorageFolder,
} from '../../../connectors/logs/embedded/storage-folder.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { Prng } from '../../support/prng.ts';
import { SmallDisk } from '../../support/small-disk.ts';
import { batchOf } from './storage-batches.ts';

let directory: string;
let disk: SmallDisk | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lapse-room-'));
});
afterEach(async () => {
  rmSync(directory, { recursive: true, force: true });
  await disk?.unmount();
  disk = undefined;
});

function open(folder: StorageFolder, place = directory): Storage {
  const options = {
    directory: place,
    partitionCount: 4,
    durability: 'process',
    bytesMax: Infinity,
    ownerToken: 'ours',
  } as const;
  return new Storage(options, systemClock, folder);
}

test('room: LMDB never writes more, for what was committed or a trim, than was asked for', async () => {
  const prng = new Prng(1);
  const folder = openStorageFolder(directory, 'process');
  const share: number[] = [];
  let asked = { bytes: 0, endBytes: 0 };
  const room = {
    has: (bytes: number) => {
      asked = { bytes, endBytes: fileUsage(folder.tables).endBytes };
      return true;
    },
    // Pages taken from the free ones and pages added at the end: all that was written since.
    written: () => share.push((fileUsage(folder.tables).endBytes - asked.endBytes) / asked.bytes),
  };
  const storage = open({ ...folder, room });
  share.length = 0;
  for (let round = 0; round < 300; round++) {
    if (prng.chance(0.2)) storage.trimSome(`in.${prng.below(40)}`, prng.below(4_000));
    else if (prng.chance(0.3)) while (storage.flushSome().hasMore);
    else {
      const count = 1 + prng.below(prng.pick([3, 40, 2_000]));
      const sizeMax = prng.pick([50, 1_900, 2_100, 40_000]);
      const topicsMax = prng.pick([1, 40]);
      const sizes = Array.from({ length: Math.min(count, Math.ceil(4_000_000 / sizeMax)) }, () => ({
        topic: prng.below(topicsMax),
        bytes: prng.below(sizeMax),
      }));
      storage.commit([batchOf(sizes)]);
    }
  }
  expect(Math.max(...share)).toBeLessThanOrEqual(1);
  expect(Math.max(...share)).toBeGreaterThan(0.5);
  await storage.close();
});

test('room: what the file holds is found again, free pages and all', async () => {
  const folder = openStorageFolder(directory, 'process');
  const storage = open(folder);
  const sizes = Array.from({ length: 500 }, () => ({ topic: 0, bytes: 10_000 }));
  storage.commit([batchOf(sizes)]);
  storage.flush();
  const full = fileUsage(folder.tables);
  expect(full.endBytes).toBeGreaterThan(500 * 10_000);
  while (!storage.trimSome('in.0', 400));
  const trimmed = fileUsage(folder.tables);
  expect(trimmed.freeBytes - full.freeBytes).toBeGreaterThan(400 * 10_000);
  await storage.close();
});

const DISK_BYTES = 48 * 2 ** 20;
const probe = await SmallDisk.mount(2 ** 20);
await probe?.unmount();

describe.runIf(probe !== undefined)('on a disk that is full', () => {
  test('appends are refused before LMDB hears of it, and trimming makes room', async () => {
    disk = (await SmallDisk.mount(DISK_BYTES))!;
    const folder = openStorageFolder(disk.folder, 'process');
    const storage = open(folder, disk.folder);
    const batch = batchOf(Array.from({ length: 50 }, () => ({ topic: 0, bytes: 20_000 })));
    const fill = () => {
      let commits = 0;
      try {
        for (;;) {
          storage.commit([batch]);
          commits++;
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_LOG_FULL', retryable: true });
        return commits;
      }
    };
    const stored = fill() * 50;
    expect(stored * 20_000).toBeGreaterThan(DISK_BYTES * 0.7);
    expect(disk.freeBytes).toBe(0);
    // The disk gives nothing more, yet half of the log is room again.
    const half = Math.floor(stored / 2);
    while (!storage.trimSome('in.0', half));
    expect(fill() * 50).toBeGreaterThan(half * 0.4);
    for (let round = 1; round <= 20; round++) {
      const { tail } = storage.topic('in.0');
      while (!storage.trimSome('in.0', tail - 100));
      expect(fill()).toBeGreaterThan(0);
    }
    await storage.close();
  });

  test('a file that others have filled the disk around goes on when they leave', async () => {
    disk = (await SmallDisk.mount(DISK_BYTES))!;
    const path = join(disk.folder, 'file');
    writeFileSync(path, '');
    const quarter = DISK_BYTES / 4;
    let endBytes = 0;
    const room = new DiskRoom(path, () => ({ endBytes, freeBytes: 0 }));
    const write = (bytes: number) => {
      endBytes += bytes;
      room.written();
    };
    expect(room.has(quarter)).toBe(true);
    write(quarter);
    disk.fill();
    expect(room.has(quarter)).toBe(false);
    disk.free();
    expect(room.has(quarter)).toBe(true);
    write(quarter);
    expect(room.has(3 * quarter)).toBe(false);
  });
});
