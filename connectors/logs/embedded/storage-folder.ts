/** The folder of an embedded log as its one writer uses it. */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DiskRoom } from './disk-room.ts';
import { type Durability, fileUsage, type LogTables, openTables } from './lmdb-schema.ts';
import { openWriteAheadDisk, type WriteAheadDisk } from './write-ahead-disk.ts';

export interface StorageFolder {
  readonly tables: LogTables;
  /** For the tables. */
  readonly room: Pick<DiskRoom, 'has' | 'written'>;
  readonly writeAhead: WriteAheadDisk;
  /** Makes the names of the files durable: a file is synced without the folder that names it. */
  sync(): void;
}

/** LMDB's name for it. */
const FILE_NAME = 'data.mdb';

export function openStorageFolder(directory: string, durability: Durability): StorageFolder {
  const tables = openTables(directory, durability);
  return {
    tables,
    room: new DiskRoom(join(directory, FILE_NAME), () => fileUsage(tables)),
    writeAhead: openWriteAheadDisk(directory, durability),
    sync() {
      if (durability !== 'disk' || process.platform === 'win32') return;
      const folder = openSync(directory, 'r');
      fsyncSync(folder);
      closeSync(folder);
    },
  };
}
