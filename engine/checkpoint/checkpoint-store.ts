import { join } from 'node:path';
import { externalError, LapseError, messageOf } from '../errors/errors.ts';
import type { Offset } from '../log/log.ts';
import { type CheckpointDisk, systemDisk } from './checkpoint-disk.ts';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint-file.ts';

const GENERATIONS = 2;
const NAME = /^(\d+)-(\d+)\.ckpt$/;

interface Generation {
  readonly name: string;
  readonly offset: Offset;
  readonly epoch: number;
}

/** What loading found, with a sentence for every generation that could not be used. */
export interface LoadedCheckpoint {
  readonly checkpoint: Checkpoint | undefined;
  readonly problems: readonly LapseError[];
}

/**
 * The checkpoints of one partition on disk: `<folder>/<offset>-<epoch>.ckpt`, two generations.
 * A file appears whole or not at all: it is written beside, synced and renamed.
 */
export class CheckpointStore {
  readonly #folder: string;
  readonly #partition: number;
  readonly #disk: CheckpointDisk;

  /** @param root the folder of all partitions' checkpoints */
  constructor(root: string, partition: number, disk: CheckpointDisk = systemDisk) {
    this.#folder = join(root, String(partition));
    this.#partition = partition;
    this.#disk = disk;
  }

  /**
   * The newest generation that is whole; a damaged one is set aside, so that more is replayed.
   * @throws LapseError `ERR_CHECKPOINT_VERSION`, `ERR_PARTITION_COUNT`: not to be passed over
   */
  async load(partitionCount: number): Promise<LoadedCheckpoint> {
    const problems: LapseError[] = [];
    for (const { name } of await this.#generations()) {
      try {
        const checkpoint = await readCheckpoint(join(this.#folder, name), this.#disk);
        if (checkpoint.partition !== this.#partition) {
          throw new LapseError(
            'ERR_CHECKPOINT_CORRUPT',
            `The checkpoint ${name} must be of partition ${this.#partition}, it is of partition ${checkpoint.partition}.`,
          );
        }
        if (checkpoint.partitionCount !== partitionCount) {
          throw new LapseError(
            'ERR_PARTITION_COUNT',
            `The checkpoints were made for ${checkpoint.partitionCount} partitions, the log has ${partitionCount}.`,
            { domain: 'user' },
          );
        }
        return { checkpoint, problems };
      } catch (error) {
        if (!(error instanceof LapseError) || error.code !== 'ERR_CHECKPOINT_CORRUPT') throw error;
        problems.push(error);
        // No longer a generation: it must not push a whole one out, nor let the log be trimmed.
        await this.#disk.rename(join(this.#folder, name), join(this.#folder, `${name}.damaged`));
      }
    }
    return { checkpoint: undefined, problems };
  }

  /**
   * Keeps a checkpoint and forgets generations beyond the second.
   * @returns the offset up to which the input is no longer needed, and the bytes written
   * @throws LapseError `ERR_CHECKPOINT_WRITE` (retryable) when the disk does not take it
   */
  async save(checkpoint: Checkpoint): Promise<{ trimTo: Offset; bytes: number }> {
    try {
      return await this.#save(checkpoint);
    } catch (error) {
      if (error instanceof LapseError) throw error;
      throw externalError(
        'ERR_CHECKPOINT_WRITE',
        `A checkpoint of partition ${this.#partition} must be written to '${this.#folder}', it ` +
          `was not: ${messageOf(error)}. The log keeps what it holds; it is tried again.`,
        { cause: error, retryable: true },
      );
    }
  }

  async #save(checkpoint: Checkpoint): Promise<{ trimTo: Offset; bytes: number }> {
    await this.#disk.makeFolder(this.#folder);
    const name = `${checkpoint.offset}-${checkpoint.epoch}.ckpt`;
    const temporary = join(this.#folder, `${name}.tmp`);
    const bytes = await this.#write(temporary, checkpoint);
    await this.#disk.rename(temporary, join(this.#folder, name));
    await this.#disk.syncFolder(this.#folder);
    const generations = await this.#generations();
    for (const old of generations.slice(GENERATIONS)) {
      await this.#disk.remove(join(this.#folder, old.name));
    }
    // Without a second generation the whole log stays: it is what a damaged first one falls back to.
    return { trimTo: generations[GENERATIONS - 1]?.offset ?? 0, bytes };
  }

  async #write(path: string, checkpoint: Checkpoint): Promise<number> {
    try {
      return await writeCheckpoint(path, checkpoint, this.#disk);
    } catch (error) {
      // On a full disk every try would leave another half, and what was freed would be gone.
      await this.#disk.remove(path).catch(() => undefined);
      throw error;
    }
  }

  /** True when a generation beyond `offset` has been kept, by whomever. */
  async hasBeyond(offset: Offset): Promise<boolean> {
    const [newest] = await this.#generations();
    return newest !== undefined && newest.offset > offset;
  }

  async #generations(): Promise<Generation[]> {
    const generations: Generation[] = [];
    for (const name of await this.#disk.list(this.#folder)) {
      const found = NAME.exec(name);
      if (found) generations.push({ name, offset: Number(found[1]), epoch: Number(found[2]) });
      // A file that a crash left half written.
      else if (name.endsWith('.tmp')) await this.#disk.remove(join(this.#folder, name));
    }
    return generations.sort((a, b) => b.offset - a.offset || b.epoch - a.epoch);
  }

  get partition(): number {
    return this.#partition;
  }
}
