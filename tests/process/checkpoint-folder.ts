/** The checkpoints that a process has left on disk. */
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface CheckpointName {
  readonly path: string;
  readonly offset: number;
}

const NAME = /^(\d+)-\d+\.ckpt$/;

/** Newest first. */
export function checkpointsOf(data: string, partition: number): CheckpointName[] {
  const folder = join(data, 'checkpoints', String(partition));
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .flatMap((name) => {
      const found = NAME.exec(name);
      return found === null ? [] : [{ path: join(folder, name), offset: Number(found[1]) }];
    })
    .sort((a, b) => b.offset - a.offset);
}

/** Turns one bit over, at a share (0–1) of the file. */
export async function damage({ path }: CheckpointName, share: number): Promise<void> {
  const bytes = await readFile(path);
  const at = Math.floor((bytes.length - 1) * share);
  bytes[at] = bytes[at]! ^ 1;
  await writeFile(path, bytes);
}
