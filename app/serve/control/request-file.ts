/**
 * What only requests need (addresses, headers, credentials, secrets, contents) of definitions that
 * came by `lapse apply`, in the data folder, for this user alone. It must not be in the log, which
 * other machines and backups hold. Of definitions that files give at each start nothing is kept.
 */
import { closeSync, fdatasyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { externalError, messageOf } from '../../../engine/errors/errors.ts';
import { parseJson } from '../../../engine/json/parse-json.ts';
import { writeJson } from '../../../engine/json/write-json.ts';
import { PRIVATE_FILE_MODE } from '../../../engine/log/private-modes.ts';
import { REQUEST_FILE } from '../data-folder.ts';
import type { RequestParts } from './control-state.ts';

const VERSION = 1;

/** @throws LapseError `ERR_REQUEST_FILE` when it is there and cannot be read */
export function readRequestFile(dataFolder: string): RequestParts {
  const path = join(dataFolder, REQUEST_FILE);
  try {
    const { version, webhooks, contents } = parseJson(
      readFileSync(path, 'utf8'),
    ) as RequestParts & {
      version: number;
    };
    if (version !== VERSION) throw new Error(`it is of version ${version}`);
    return { webhooks, contents };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { webhooks: [], contents: {} };
    throw externalError(
      'ERR_REQUEST_FILE',
      `Could not read ${path}: ${messageOf(error)}. Restore it, or remove it and give the definitions anew.`,
    );
  }
}

/** Replaces it whole, durably. @throws LapseError `ERR_REQUEST_FILE` */
export function writeRequestFile(dataFolder: string, parts: RequestParts): void {
  const path = join(dataFolder, REQUEST_FILE);
  const temporary = `${path}.tmp`;
  try {
    const file = openSync(temporary, 'w', PRIVATE_FILE_MODE);
    try {
      writeSync(file, writeJson({ version: VERSION, ...parts }));
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fdatasyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    throw externalError('ERR_REQUEST_FILE', `Could not write ${path}: ${messageOf(error)}.`);
  }
}
