/** The data folder: made if need be, and closed to all but the user that Lapse runs as. */
import { chmodSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  externalError,
  type LapseError,
  messageOf,
  userError,
} from '../../engine/errors/errors.ts';
import { PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE } from '../../engine/log/private-modes.ts';

/** Folders that Lapse makes in it. */
export const CHECKPOINT_FOLDER = 'checkpoints';
export const LOG_FOLDER = 'log';
/** A file, see `control/request-file.ts`. */
export const REQUEST_FILE = 'requests.json';

const MODE_BITS = 0o777;
const OURS: readonly string[] = [CHECKPOINT_FOLDER, LOG_FOLDER, REQUEST_FILE];

/**
 * Makes the folder, and takes from others what they may do in one that is there, such as that of
 * an older version. A folder that holds other things too keeps its mode; only ours in it is closed.
 * @returns what to warn of: modes that could not be changed
 * @throws LapseError `ERR_DATA_DIR`
 */
export function openDataFolder(path: string): LapseError | undefined {
  let names: string[];
  try {
    mkdirSync(path, { recursive: true, mode: PRIVATE_FOLDER_MODE });
    names = readdirSync(path);
  } catch (error) {
    throw userError(
      'ERR_DATA_DIR',
      `--data must be a folder that can be written, ${path} is not: ${messageOf(error)}`,
    );
  }
  try {
    if (names.every((name) => OURS.includes(name))) close(path);
    for (const name of names) if (OURS.includes(name)) closeAll(join(path, name));
    return undefined;
  } catch (error) {
    return externalError(
      'ERR_DATA_DIR_OPEN',
      `Could not close the data folder to other users of this machine: ${messageOf(error)}. ` +
        'Give it to the user that Lapse runs as.',
    );
  }
}

function closeAll(path: string): void {
  if (!close(path)) return;
  for (const name of readdirSync(path)) closeAll(join(path, name));
}

/** @returns whether it is a folder */
function close(path: string): boolean {
  const status = lstatSync(path);
  // What a link points to is not ours.
  if (status.isSymbolicLink()) return false;
  const isFolder = status.isDirectory();
  const mode = isFolder ? PRIVATE_FOLDER_MODE : PRIVATE_FILE_MODE;
  if ((status.mode & MODE_BITS & ~mode) !== 0) chmodSync(path, status.mode & mode);
  return isFolder;
}
