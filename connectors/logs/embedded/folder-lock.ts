/**
 * The folder of an embedded log: it must be a writable folder, and one process at a time owns it.
 *
 * Ownership is a file `lock` that names the process. After a `kill -9` the file stays behind, so a
 * lock counts only while its process lives; the process's start time tells it from a later one of
 * the same number. The known limit: two containers that share a folder cannot see each other's
 * processes. The storage thread's owner token (storage.ts) stops the older one of them.
 */
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LapseError, messageOf, userError } from '../../../engine/errors/errors.ts';
import { PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE } from '../../../engine/log/private-modes.ts';

export interface FolderLock {
  /** Written into the log; whoever finds another one there has lost the folder. */
  readonly token: string;
  release(): void;
}

interface LockHolder {
  readonly pid: number;
  /** Start of the process as the system counts it; empty where it is not to be had. */
  readonly started: string;
  readonly token: string;
}

/**
 * Makes the folder if need be and takes it for this process.
 * @throws LapseError `ERR_DATA_DIR`, `ERR_DATA_IN_USE`
 */
export function lockFolder(directory: string): FolderLock {
  const path = join(directory, 'lock');
  const holder: LockHolder = {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    token: randomUUID(),
  };
  const text = JSON.stringify(holder);
  try {
    mkdirSync(directory, { recursive: true, mode: PRIVATE_FOLDER_MODE });
    // Each failed turn either found a living holder and threw, or moved a dead one's file away.
    for (let attempt = 0; attempt < 10; attempt++) {
      if (createOnce(path, text)) {
        return { token: holder.token, release: () => releaseLock(path, text) };
      }
      moveAsideIfDead(directory, path);
    }
  } catch (error) {
    if (error instanceof LapseError) throw error;
    throw userError(
      'ERR_DATA_DIR',
      `The data folder must be a writable folder, '${directory}' is not: ${messageOf(error)}.`,
      { directory },
    );
  }
  throw inUseError(directory, undefined);
}

function createOnce(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: PRIVATE_FILE_MODE });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function moveAsideIfDead(directory: string, path: string): void {
  const text = readText(path);
  if (text === undefined) return;
  const holder = parseHolder(text);
  if (holder !== undefined && isAlive(holder)) throw inUseError(directory, holder.pid);
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  // Somebody may have taken the folder between the look and the move: then it is put back.
  if (readText(aside) !== text) {
    try {
      linkSync(aside, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  rmSync(aside, { force: true });
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<LockHolder>;
    if (typeof holder.pid !== 'number' || typeof holder.started !== 'string') return undefined;
    return { pid: holder.pid, started: holder.started, token: String(holder.token) };
  } catch {
    // Half a file: its writer died while writing it.
    return undefined;
  }
}

function isAlive(holder: LockHolder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const started = startOf(holder.pid);
  return started === undefined || holder.started === '' || started === holder.started;
}

/** Boot and start tick of a process on Linux; undefined elsewhere. */
function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold spaces; the start is the
    // 22nd field, the 20th after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${boot}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function releaseLock(path: string, text: string): void {
  if (readText(path) === text) rmSync(path, { force: true });
}

function inUseError(directory: string, pid: number | undefined): LapseError {
  const holder = pid === undefined ? 'another process' : `process ${pid}`;
  return userError(
    'ERR_DATA_IN_USE',
    `The data folder must belong to one process at a time, '${directory}' is in use by ${holder}.`,
    pid === undefined ? { directory } : { directory, pid },
  );
}
