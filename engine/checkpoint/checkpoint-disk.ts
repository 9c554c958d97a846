/** The few things that checkpoints ask of a disk; the simulation brings a disk of its own. */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE } from '../log/private-modes.ts';

/** A file that is being written from its beginning. */
export interface CheckpointFile {
  /** Writes all of the parts behind what stands there. @throws when not all of it could be */
  write(parts: readonly Uint8Array[]): Promise<void>;
  /** Resolves when what was written outlives a loss of power. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface CheckpointDisk {
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, none when there is no such folder. */
  list(path: string): Promise<string[]>;
  read(path: string): Promise<Buffer>;
  create(path: string): Promise<CheckpointFile>;
  rename(from: string, to: string): Promise<void>;
  /** No error when it is not there. */
  remove(path: string): Promise<void>;
  /** Makes renames in the folder outlive a loss of power. */
  syncFolder(path: string): Promise<void>;
}

export const systemDisk: CheckpointDisk = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: PRIVATE_FOLDER_MODE });
  },
  async list(path) {
    try {
      return await readdir(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  },
  read: (path) => readFile(path),
  async create(path) {
    const file = await open(path, 'w', PRIVATE_FILE_MODE);
    return {
      async write(parts) {
        const { bytesWritten } = await file.writev(parts);
        await writeRest(parts, bytesWritten, (rest) => file.write(rest));
      },
      sync: () => file.datasync(),
      close: () => file.close(),
    };
  },
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  async syncFolder(path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/**
 * Writes what a first write left over. A disk that is nearly full takes the beginning without a
 * word and refuses only the next write: without it a file cut short would pass for whole.
 */
export async function writeRest(
  parts: readonly Uint8Array[],
  bytesWritten: number,
  write: (rest: Uint8Array) => Promise<{ bytesWritten: number }>,
): Promise<void> {
  let skip = bytesWritten;
  for (const part of parts) {
    let at = Math.min(skip, part.length);
    skip -= at;
    while (at < part.length) at += (await write(part.subarray(at))).bytesWritten;
  }
}
