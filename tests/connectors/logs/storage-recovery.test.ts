import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { envelopeKey, openTables } from '../../../connectors/logs/embedded/lmdb-schema.ts';
import { Storage } from '../../../connectors/logs/embedded/storage.ts';
import {
  openStorageFolder,
  type StorageFolder,
} from '../../../connectors/logs/embedded/storage-folder.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { Prng } from '../../support/prng.ts';
import { batchOf, TOPICS } from './storage-batches.ts';

const HALF_BYTES = 4_096;

let directory: string;
let opened: Storage[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lapse-storage-'));
  opened = [];
});
afterEach(async () => {
  for (const storage of opened) await storage.close().catch(() => undefined);
  rmSync(directory, { recursive: true, force: true });
});

function open(
  place: string,
  ownerToken = 'ours',
  folder: StorageFolder = openStorageFolder(place, 'process'),
): Storage {
  const options = { directory: place, partitionCount: 4, durability: 'process' } as const;
  const storage = new Storage(
    { ...options, bytesMax: Infinity, ownerToken },
    systemClock,
    folder,
    HALF_BYTES,
  );
  opened.push(storage);
  return storage;
}

let copies = 0;
/** The folder as a process that dies now leaves it behind. */
function leftBehind(): string {
  const copy = join(directory, `copy-${++copies}`);
  cpSync(join(directory, 'log'), copy, { recursive: true });
  return copy;
}

function corrupt(place: string) {
  const facts = { path: join(place, 'write-ahead') };
  return expect.objectContaining({ code: 'ERR_LOG_CORRUPT', domain: 'user', facts });
}

/** The first bytes of what stands in each topic, trimmed parts left out. */
async function contentsOf(place: string): Promise<Record<string, number[]>> {
  const storage = open(place);
  storage.flush();
  const tables = openTables(place, 'process');
  tables.root.resetReadTxn();
  const contents: Record<string, number[]> = {};
  for (const name of TOPICS) {
    const { id, tail, trimmedUpTo } = storage.topic(name);
    contents[name] = [];
    for (let offset = trimmedUpTo + 1; offset <= tail; offset++) {
      const value = tables.envelopes.get(envelopeKey(Buffer.alloc(12), id, offset));
      contents[name].push(value?.[value.length - 1] ?? -1);
    }
  }
  return contents;
}

describe('a log that is opened after its process died', () => {
  test('holds all that was committed, wherever it stood', async () => {
    const prng = new Prng(7);
    const place = join(directory, 'log');
    const storage = open(place);
    const expected: Record<string, number[]> = Object.fromEntries(TOPICS.map((name) => [name, []]));
    const trimmed: Record<string, number> = {};
    for (let round = 0; round < 250; round++) {
      if (prng.chance(0.3)) storage.flushSome();
      if (prng.chance(0.1)) {
        const name = prng.pick(TOPICS);
        const upTo = prng.below(expected[name]!.length + 1);
        storage.trimSome(name, upTo);
        trimmed[name] = Math.max(trimmed[name] ?? 0, upTo);
      }
      const envelopes = Array.from({ length: 1 + prng.below(5) }, () => {
        const topic = prng.below(TOPICS.length);
        const mark = prng.below(256);
        expected[TOPICS[topic]!]!.push(mark);
        return { topic, mark, bytes: 1 + prng.below(prng.pick([60, 60, 900, 5_000])) };
      });
      storage.commit([batchOf(envelopes)]);
      if (!prng.chance(0.1)) continue;
      const found = await contentsOf(leftBehind());
      const kept = TOPICS.map((name) => [name, expected[name]!.slice(trimmed[name] ?? 0)]);
      expect(found).toEqual(Object.fromEntries(kept));
    }
  });

  test('does without a commit that was being written', async () => {
    const place = join(directory, 'log');
    const storage = open(place);
    storage.commit([batchOf([{ topic: 0, mark: 1, bytes: 10 }])]);
    storage.commit([batchOf([{ topic: 0, mark: 2, bytes: 10 }])]);
    const copy = leftBehind();
    const path = join(copy, 'write-ahead');
    const bytes = readFileSync(path);
    bytes.fill(0, bytes.indexOf(Buffer.of(2, 2, 2, 2)), HALF_BYTES);
    writeFileSync(path, bytes);
    expect((await contentsOf(copy))[TOPICS[0]!]).toEqual([1]);
  });

  test.each([
    { of: 'the first frame', commits: 3, mark: 1 },
    { of: 'one in the midst', commits: 3, mark: 2 },
    // A frame is 24 + 32 + 8 + 48 bytes: of 4,096, the file's first has 24, then 36 find room.
    { of: 'the first frame of a half', commits: 38, mark: 37 },
  ])('refuses to go on where $of is damaged that was acknowledged', ({ commits, mark }) => {
    const storage = open(join(directory, 'log'));
    for (let i = 1; i <= commits; i++) {
      storage.commit([batchOf([{ topic: 0, mark: i, bytes: 10 }])]);
    }
    const copy = leftBehind();
    const path = join(copy, 'write-ahead');
    const bytes = readFileSync(path);
    bytes[bytes.indexOf(Buffer.alloc(10, mark))]! ^= 1;
    writeFileSync(path, bytes);
    expect(() => open(copy)).toThrow(corrupt(copy));
  });

  test.each([
    { what: 'is missing', spoil: (path: string) => rmSync(path) },
    { what: 'has 0 bytes instead of 8192', spoil: (path: string) => truncateSync(path, 0) },
    { what: 'has 4096 bytes instead of 8192', spoil: (path: string) => truncateSync(path, 4_096) },
    {
      what: 'holds nothing of it',
      spoil: (path: string) => writeFileSync(path, Buffer.alloc(8_192)),
    },
  ])('refuses to go on where the file that was written ahead $what', ({ what, spoil }) => {
    const storage = open(join(directory, 'log'));
    storage.commit([batchOf([{ topic: 0, mark: 1, bytes: 10 }])]);
    const copy = leftBehind();
    spoil(join(copy, 'write-ahead'));
    expect(() => open(copy)).toThrow(corrupt(copy));
    expect(() => open(copy)).toThrow(`it ${what}:`);
  });

  test('says which file cannot be read', () => {
    const place = join(directory, 'log');
    open(place);
    const copy = leftBehind();
    rmSync(join(copy, 'write-ahead'));
    mkdirSync(join(copy, 'write-ahead'));
    expect(() => open(copy)).toThrow(`'${join(copy, 'write-ahead')}' must be a file`);
  });

  test.each([
    { when: 'it died', error: new Error('died'), said: 'died' },
    {
      when: 'its disk was full',
      error: Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }),
      said: 'has no 8192 bytes left',
    },
  ])('needs no file when $when while it made one', async ({ error, said }) => {
    const place = join(directory, 'log');
    open(place).commit([batchOf([{ topic: 0, mark: 1, bytes: 10 }])]);
    const copy = leftBehind();
    const folder = openStorageFolder(copy, 'process');
    const begin = () => {
      rmSync(folder.writeAhead.path);
      throw error;
    };
    const failing = { ...folder, writeAhead: { ...folder.writeAhead, begin } };
    expect(() => open(copy, 'ours', failing)).toThrow(said);
    expect((await contentsOf(copy))[TOPICS[0]!]).toEqual([1]);
  });

  test('leaves the file of one alone who took the folder meanwhile', async () => {
    const place = join(directory, 'log');
    const folder = openStorageFolder(place, 'process');
    let newer: Storage | undefined;
    const written = () => {
      newer ??= open(place, 'newer');
    };
    const slow = { ...folder, room: { has: () => true, written } };
    expect(() => open(place, 'older', slow)).toThrow(
      expect.objectContaining({ code: 'ERR_DATA_IN_USE' }),
    );
    newer!.commit([batchOf([{ topic: 0, mark: 1, bytes: 10 }])]);
    expect((await contentsOf(leftBehind()))[TOPICS[0]!]).toEqual([1]);
  });

  test('holds nothing that one who had lost the folder wrote, and he is told', () => {
    const place = join(directory, 'log');
    const older = open(place, 'older');
    older.commit([batchOf([{ topic: 0, mark: 1, bytes: 10 }])]);
    const newer = open(place, 'newer');
    const late = () => older.commit([batchOf([{ topic: 0, mark: 2, bytes: 10 }])]);
    expect(late).toThrow(expect.objectContaining({ code: 'ERR_DATA_IN_USE' }));
    expect(newer.topic(TOPICS[0]!).tail).toBe(1);
    newer.commit([batchOf([{ topic: 0, mark: 3, bytes: 10 }])]);
    expect(open(leftBehind(), 'newest').topic(TOPICS[0]!).tail).toBe(2);
  });
});
