import type { CheckpointDisk, CheckpointFile } from '../../engine/checkpoint/checkpoint-disk.ts';
import type { Life, Scheduler } from './scheduler.ts';

/** How a disk behaves; the world changes it when the faults are over. */
export interface DiskFaults {
  /** Longest time of one operation, ms. */
  slowMs: number;
  /** Share of operations that fail. */
  failing: number;
}

interface File {
  /** What a reader sees. */
  bytes: Buffer;
  /** How much of it outlives a loss of power for certain. */
  syncedBytes: number;
  isDamaged: boolean;
}

const SECTOR_BYTES = 512;

/**
 * A disk with a cache: what was written and not synced may be gone, or torn, after a loss of
 * power; a rename of which the folder was not synced may not have happened. A process that dies
 * loses nothing that it has written, and leaves half of the file that it was writing.
 */
export class SimulatedDisk {
  readonly #scheduler: Scheduler;
  readonly faults: DiskFaults;
  /** Called when a file of this life has grown, or has got its name. */
  onChanged: (life: Life, what: 'write' | 'checkpoint') => void = () => undefined;
  readonly #files = new Map<string, File>();
  /** Renames and removals since their folder was synced, oldest first: how to take each back. */
  #unsynced: { readonly folder: string; readonly undo: () => void }[] = [];

  constructor(scheduler: Scheduler, faults: DiskFaults) {
    this.#scheduler = scheduler;
    this.faults = faults;
  }

  /** The disk as a process sees it that lives no longer than `life`. */
  of(life: Life): CheckpointDisk {
    const step = <Result>(work: () => Result) => this.#step(life, work);
    return {
      makeFolder: () => step(() => undefined),
      list: (path) => step(() => this.#namesIn(path)),
      read: (path) =>
        step(() => {
          const file = this.#files.get(path);
          if (file === undefined) throw failure('ENOENT', `open '${path}'`);
          return Buffer.from(file.bytes);
        }),
      create: (path) => step(() => this.#create(path, life)),
      rename: (from, to) =>
        step(() => {
          this.#rename(from, to);
          this.onChanged(life, 'checkpoint');
        }),
      remove: (path) => step(() => this.#remove(path)),
      syncFolder: (path) =>
        step(() => {
          this.#unsynced = this.#unsynced.filter(({ folder }) => folder !== path);
        }),
    };
  }

  /** The machine loses power: what was not synced is gone, or a part of it. */
  losePower(): void {
    const { prng, coverage } = this.#scheduler;
    for (const { undo } of this.#unsynced.reverse()) {
      // In order: when one did not reach the disk, none after it did.
      if (prng.chance(0.4)) break;
      undo();
      coverage.met('rename or removal undone');
    }
    this.#unsynced = [];
    for (const file of this.#files.values()) {
      if (file.syncedBytes >= file.bytes.length) continue;
      const kept = file.syncedBytes + prng.below(file.bytes.length - file.syncedBytes + 1);
      if (kept < file.bytes.length) coverage.met('written bytes lost with the power');
      file.bytes = Buffer.from(file.bytes.subarray(0, kept));
      if (kept > file.syncedBytes && prng.chance(0.5)) {
        const from = file.syncedBytes + prng.below(kept - file.syncedBytes);
        file.bytes.fill(0, from, Math.min(kept, from + SECTOR_BYTES));
        coverage.met('write torn');
      }
    }
  }

  /** Checkpoints below a folder, newest first. */
  checkpointsIn(folder: string): { readonly path: string; readonly isWhole: boolean }[] {
    const offsetOf = (name: string) => Number(/^(\d+)-/.exec(name)?.[1]);
    return this.#namesIn(folder)
      .filter((name) => name.endsWith('.ckpt'))
      .sort((a, b) => offsetOf(b) - offsetOf(a))
      .map((name) => `${folder}/${name}`)
      .map((path) => ({ path, isWhole: this.#files.get(path)?.isDamaged === false }));
  }

  /** Flips a bit, or cuts the file short. */
  damage(path: string): void {
    const { prng } = this.#scheduler;
    const file = this.#files.get(path)!;
    if (file.bytes.length === 0) return;
    file.isDamaged = true;
    const at = prng.below(file.bytes.length);
    if (prng.chance(0.3)) file.bytes = Buffer.from(file.bytes.subarray(0, at));
    else file.bytes[at]! ^= 1 << prng.below(8);
    file.syncedBytes = Math.min(file.syncedBytes, file.bytes.length);
  }

  get fileCount(): number {
    return this.#files.size;
  }

  #step<Result>(life: Life, work: () => Result): Promise<Result> {
    const { prng, coverage } = this.#scheduler;
    const delayMs = this.#scheduler.delayMs(0.02, this.faults.slowMs);
    if (delayMs > 100) coverage.met('disk operation of over 100 ms');
    const fails = prng.chance(this.faults.failing);
    return new Promise((resolve, reject) => {
      this.#scheduler.after(delayMs, life, () => {
        try {
          if (fails) {
            coverage.met('disk operation failed');
            throw failure(prng.chance(0.5) ? 'ENOSPC' : 'EIO', 'the disk refuses');
          }
          const result = work();
          // It may have died of it.
          if (!life.isOver) resolve(result);
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #namesIn(folder: string): string[] {
    const prefix = `${folder}/`;
    return [...this.#files.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
  }

  #create(path: string, life: Life): CheckpointFile {
    const file: File = { bytes: Buffer.alloc(0), syncedBytes: 0, isDamaged: false };
    this.#files.set(path, file);
    const { prng } = this.#scheduler;
    const append = (bytes: Buffer) => {
      file.bytes = Buffer.concat([file.bytes, bytes]);
    };
    return {
      // In two halves, so that a process can die, or the disk fail, between them.
      write: async (parts) => {
        const half = prng.below(parts.length + 1);
        for (const some of [parts.slice(0, half), parts.slice(half)]) {
          // What is written is read only now, as a slow disk would.
          await this.#step(life, () => {
            append(Buffer.concat(some));
            this.onChanged(life, 'write');
          });
        }
      },
      sync: () =>
        this.#step(life, () => {
          file.syncedBytes = file.bytes.length;
        }),
      close: () => this.#step(life, () => undefined),
    };
  }

  #rename(from: string, to: string): void {
    const file = this.#files.get(from);
    if (file === undefined) throw failure('ENOENT', `rename '${from}'`);
    const replaced = this.#files.get(to);
    this.#files.delete(from);
    this.#files.set(to, file);
    this.#remember(to, () => {
      if (replaced === undefined) this.#files.delete(to);
      else this.#files.set(to, replaced);
      this.#files.set(from, file);
    });
  }

  #remove(path: string): void {
    const file = this.#files.get(path);
    if (file === undefined) return;
    this.#files.delete(path);
    this.#remember(path, () => this.#files.set(path, file));
  }

  #remember(path: string, undo: () => void): void {
    this.#unsynced.push({ folder: path.slice(0, path.lastIndexOf('/')), undo });
  }
}

function failure(code: string, what: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
