/** The file `write-ahead` in the folder of an embedded log. */
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { externalError, messageOf } from '../../../engine/errors/errors.ts';
import { PRIVATE_FILE_MODE } from '../../../engine/log/private-modes.ts';
import type { Durability } from './lmdb-schema.ts';

export interface WriteAheadDisk {
  readonly path: string;
  /**
   * The bytes of the file, when there is one.
   * @throws LapseError `ERR_LOG_UNAVAILABLE`
   */
  read(): Buffer | undefined;
  /**
   * Makes a new file of zeros in place of it, so that no later write changes its length. Whoever
   * has the old one open goes on writing to that, where nobody looks any more.
   * @throws NodeJS.ErrnoException
   */
  begin(bytes: number): WriteAheadFile;
}

export interface WriteAheadFile {
  /**
   * Durable when it returns.
   * @throws NodeJS.ErrnoException then it may stand there, or some of it
   */
  write(bytes: Uint8Array, at: number): void;
  close(): void;
}

const ZEROS = new Uint8Array(2 ** 20);

/** @param durability 'process' leaves it to the system when the bytes reach the disk */
export function openWriteAheadDisk(directory: string, durability: Durability): WriteAheadDisk {
  const path = join(directory, 'write-ahead');
  const sync = durability === 'disk' ? fdatasyncSync : () => undefined;
  return {
    path,
    read() {
      try {
        return readFileSync(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw externalError(
          'ERR_LOG_UNAVAILABLE',
          `'${path}' must be a file that can be read, it failed: ${messageOf(error)}.`,
          { cause: error },
        );
      }
    },
    begin(bytes) {
      rmSync(path, { force: true });
      const file = openSync(path, 'wx', PRIVATE_FILE_MODE);
      try {
        for (let at = 0; at < bytes; ) {
          at += writeSync(file, ZEROS, 0, Math.min(ZEROS.length, bytes - at), at);
        }
        sync(file);
      } catch (error) {
        closeSync(file);
        rmSync(path, { force: true });
        throw error;
      }
      return {
        write(content, at) {
          for (let done = 0; done < content.length; ) {
            done += writeSync(file, content, done, content.length - done, at + done);
          }
          sync(file);
        },
        close: () => closeSync(file),
      };
    },
  };
}
