import type {
  WriteAheadDisk,
  WriteAheadFile,
} from '../../connectors/logs/embedded/write-ahead-disk.ts';
import { readFrames } from '../../connectors/logs/embedded/write-ahead-frame.ts';
import type { Archive } from './archive.ts';
import type { Scheduler } from './scheduler.ts';
import type { DiskFaults } from './simulated-disk.ts';
import { archiveValue, type SimulatedLmdb } from './simulated-lmdb.ts';

const SECTOR_BYTES = 512;

/**
 * The file that an embedded log writes ahead of its tables. A write is durable when it returns, or
 * fails, and then any of its sectors may stand there. Outlives the processes; one who has lost the
 * folder writes on to the file that he has open.
 */
export class SimulatedWriteAhead implements WriteAheadDisk {
  readonly path = 'write-ahead';
  readonly #scheduler: Scheduler;
  readonly #faults: DiskFaults;
  readonly #archive: Archive;
  readonly #lmdb: SimulatedLmdb;
  #content: Buffer | undefined;

  constructor(
    scheduler: Scheduler,
    faults: DiskFaults,
    { archive, lmdb }: { readonly archive: Archive; readonly lmdb: SimulatedLmdb },
  ) {
    this.#scheduler = scheduler;
    this.#faults = faults;
    this.#archive = archive;
    this.#lmdb = lmdb;
  }

  read(): Buffer | undefined {
    if (this.#content === undefined) return undefined;
    const entries = readFrames(this.#content).frames.flatMap((frame) => frame.entries);
    if (entries.some(({ topic, offset }) => offset > this.#lmdb.tailOf(topic))) {
      this.#scheduler.coverage.met('embedded: written ahead, found by the next');
    }
    return Buffer.from(this.#content);
  }

  begin(bytes: number): WriteAheadFile {
    const content = Buffer.alloc(bytes);
    this.#content = content;
    return {
      write: (frame, at) => {
        const isFailing = this.#scheduler.prng.chance(this.#faults.failing / 4);
        if (isFailing) this.#writeSome(content, frame, at);
        else content.set(frame, at);
        this.#archiveWhole(content, frame, at);
        if (isFailing) throw Object.assign(new Error('Input/output error'), { code: 'EIO' });
      },
      close: () => undefined,
    };
  }

  #writeSome(content: Buffer, frame: Uint8Array, at: number): void {
    const { prng } = this.#scheduler;
    const share = prng.pick([0, 0.5, 1]);
    for (let from = 0; from < frame.length; from += SECTOR_BYTES) {
      if (!prng.chance(share)) continue;
      content.set(frame.subarray(from, from + SECTOR_BYTES), at + from);
    }
  }

  /** What stands there whole is found by whoever opens the folder next. */
  #archiveWhole(content: Buffer, frame: Uint8Array, at: number): void {
    if (content !== this.#content) return;
    if (Buffer.compare(content.subarray(at, at + frame.length), frame) !== 0) {
      this.#scheduler.coverage.met('embedded: written ahead, torn');
      return;
    }
    for (const { entries } of readFrames(Buffer.from(frame)).frames) {
      for (const entry of entries) archiveValue(this.#archive, this.#scheduler, entry);
    }
  }
}
