/**
 * Which log a folder's checkpoints were made of: `<folder>/log.json`. Restored over another log
 * they would be a state that no event of it explains, so the folder is refused instead.
 */
import { join } from 'node:path';
import { externalError, messageOf, userError } from '../errors/errors.ts';
import { type CheckpointDisk, systemDisk } from './checkpoint-disk.ts';

const NAME = 'log.json';

/** A log, as the folder remembers it. */
export interface LogOrigin {
  /** `embedded` or `jetstream`. */
  readonly kind: string;
  /** Unix ms, see `logCreatedAtMs`. */
  readonly createdAtMs: number;
}

/**
 * Has the folder belong to the log from its first use on.
 * @throws LapseError `ERR_CHECKPOINTS_FOREIGN` when it belongs to another one;
 *   `ERR_CHECKPOINT_WRITE` when the disk does not take the note
 */
export async function requireOrigin(
  folder: string,
  origin: LogOrigin,
  disk: CheckpointDisk = systemDisk,
): Promise<void> {
  const known = await readOrigin(folder, disk);
  if (known?.createdAtMs === origin.createdAtMs) return;
  if (known === undefined) return writeOrigin(folder, origin, disk);
  throw userError(
    'ERR_CHECKPOINTS_FOREIGN',
    `The checkpoints in '${folder}' must be of the log at hand, ${nameOf(origin)}; they are of ` +
      `${nameOf(known)}. Give --data a folder of its own, or the log that belongs to it.`,
    { folder },
  );
}

function nameOf({ kind, createdAtMs }: LogOrigin): string {
  return `the ${kind} log created at ${new Date(createdAtMs).toISOString()}`;
}

/** Undefined when the folder is new, or its note is damaged: the offsets still have to fit. */
async function readOrigin(folder: string, disk: CheckpointDisk): Promise<LogOrigin | undefined> {
  const names = await disk.list(folder);
  if (!names.includes(NAME)) return undefined;
  try {
    const { kind, createdAtMs } = JSON.parse(
      (await disk.read(join(folder, NAME))).toString(),
    ) as Partial<LogOrigin>;
    const isWhole = typeof kind === 'string' && Number.isSafeInteger(createdAtMs);
    return isWhole ? { kind, createdAtMs: createdAtMs! } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

async function writeOrigin(folder: string, origin: LogOrigin, disk: CheckpointDisk): Promise<void> {
  const path = join(folder, NAME);
  try {
    await disk.makeFolder(folder);
    const file = await disk.create(`${path}.tmp`);
    try {
      await file.write([Buffer.from(`${JSON.stringify(origin)}\n`)]);
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(`${path}.tmp`, path);
    await disk.syncFolder(folder);
  } catch (error) {
    await disk.remove(`${path}.tmp`).catch(() => undefined);
    throw externalError(
      'ERR_CHECKPOINT_WRITE',
      `The data folder must take a note of its log at '${path}', it did not: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}
