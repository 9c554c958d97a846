import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDataFolder } from '../../../app/serve/data-folder.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lapse-data-folder-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function modeOf(...names: readonly string[]): string {
  return (lstatSync(join(root, ...names)).mode & 0o777).toString(8);
}

/** A data folder as a version before made it, under a umask of 022. */
function makeOldFolder(): void {
  for (const name of ['log', 'checkpoints', 'checkpoints/0']) {
    mkdirSync(join(root, 'data', name), { recursive: true });
    chmodSync(join(root, 'data', name), 0o755);
  }
  chmodSync(join(root, 'data'), 0o755);
  for (const name of ['log/data.mdb', 'log/lock', 'checkpoints/0/1-1.ckpt']) {
    writeFileSync(join(root, 'data', name), '');
    chmodSync(join(root, 'data', name), 0o644);
  }
}

describe('data folder', () => {
  test('a new one is for its user alone', () => {
    expect(openDataFolder(join(root, 'deep', 'data'))).toBeUndefined();
    expect(modeOf('deep', 'data')).toBe('700');
  });

  test('one of a version before is closed, with all that is in it', () => {
    makeOldFolder();
    expect(openDataFolder(join(root, 'data'))).toBeUndefined();
    for (const name of ['', 'log', 'checkpoints', 'checkpoints/0']) {
      expect([name, modeOf('data', name)]).toEqual([name, '700']);
    }
    for (const name of ['log/data.mdb', 'log/lock', 'checkpoints/0/1-1.ckpt']) {
      expect([name, modeOf('data', name)]).toEqual([name, '600']);
    }
  });

  test("a folder that holds other people's things keeps its mode, and they theirs", () => {
    makeOldFolder();
    writeFileSync(join(root, 'data', 'notes.txt'), '');
    chmodSync(join(root, 'data', 'notes.txt'), 0o644);
    expect(openDataFolder(join(root, 'data'))).toBeUndefined();
    expect([modeOf('data'), modeOf('data', 'notes.txt')]).toEqual(['755', '644']);
    expect([modeOf('data', 'log'), modeOf('data', 'log', 'lock')]).toEqual(['700', '600']);
  });

  test('what a link in it points to keeps its mode', () => {
    makeOldFolder();
    writeFileSync(join(root, 'elsewhere'), '');
    chmodSync(join(root, 'elsewhere'), 0o644);
    symlinkSync(join(root, 'elsewhere'), join(root, 'data', 'log', 'link'));
    openDataFolder(join(root, 'data'));
    expect(modeOf('elsewhere')).toBe('644');
  });

  test('a file in its place is refused with a sentence', () => {
    writeFileSync(join(root, 'data'), '');
    expect(() => openDataFolder(join(root, 'data'))).toThrow(
      /^--data must be a folder that can be written, \S+\/data is not: /,
    );
  });
});
