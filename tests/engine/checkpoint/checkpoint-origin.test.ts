import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemDisk } from '../../../engine/checkpoint/checkpoint-disk.ts';
import { type LogOrigin, requireOrigin } from '../../../engine/checkpoint/checkpoint-origin.ts';

const CREATED_MS = Date.parse('2026-01-05T09:00:00Z');
const EMBEDDED: LogOrigin = { kind: 'embedded', createdAtMs: CREATED_MS };
const OTHER: LogOrigin = { kind: 'jetstream', createdAtMs: CREATED_MS + 1 };

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lapse-origin-'));
  folder = join(root, 'checkpoints');
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('a folder belongs to the log that it was first used with, for good', async () => {
  await requireOrigin(folder, EMBEDDED);
  await requireOrigin(folder, EMBEDDED);
  await expect(requireOrigin(folder, OTHER)).rejects.toMatchObject({
    code: 'ERR_CHECKPOINTS_FOREIGN',
    domain: 'user',
    message:
      `The checkpoints in '${folder}' must be of the log at hand, the jetstream log created at ` +
      '2026-01-05T09:00:00.001Z; they are of the embedded log created at ' +
      '2026-01-05T09:00:00.000Z. Give --data a folder of its own, or the log that belongs to it.',
  });
  await requireOrigin(folder, EMBEDDED);
  expect(await readdir(folder)).toEqual(['log.json']);
});

test.each(['', '{"kind":"embedded"', 'null', '{"kind":"embedded","createdAtMs":"x"}'])(
  'a note that is damaged to %j is written anew',
  async (text) => {
    await requireOrigin(folder, OTHER);
    await writeFile(join(folder, 'log.json'), text);
    await requireOrigin(folder, EMBEDDED);
    expect(JSON.parse(await readFile(join(folder, 'log.json'), 'utf8'))).toEqual(EMBEDDED);
  },
);

test('a disk that does not take the note is told, and no half of it stays', async () => {
  const full = { ...systemDisk, rename: () => Promise.reject(new Error('ENOSPC: no room')) };
  await expect(requireOrigin(folder, EMBEDDED, full)).rejects.toMatchObject({
    code: 'ERR_CHECKPOINT_WRITE',
    domain: 'external',
  });
  expect(await readdir(folder)).toEqual([]);
});
