/** The folder of an embedded log as its one writer uses it. */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { DiskReserve } from './disk-reserve.ts';
import { type Durability, type LogTables, openTables } from './lmdb-schema.ts';

export interface StorageFolder {
  readonly tables: LogTables;
  /** Room that makes way when the disk is full. */
  readonly reserve: Pick<DiskReserve, 'hold' | 'release'>;
  /** Makes the names of the files durable: LMDB syncs its file, not the folder that names it. */
  sync(): void;
}

export function openStorageFolder(directory: string, durability: Durability): StorageFolder {
  return {
    tables: openTables(directory, durability),
    reserve: new DiskReserve(directory),
    sync() {
      if (durability !== 'disk' || process.platform === 'win32') return;
      const folder = openSync(directory, 'r');
      fsyncSync(folder);
      closeSync(folder);
    },
  };
}
