import { describe, expect, test } from 'vitest';
import { type AheadNeeded, STORED } from '../../../connectors/logs/embedded/lmdb-schema.ts';
import { WriteAhead, writtenAhead } from '../../../connectors/logs/embedded/write-ahead.ts';
import type {
  WriteAheadDisk,
  WriteAheadFile,
} from '../../../connectors/logs/embedded/write-ahead-disk.ts';
import type { WrittenEntry } from '../../../connectors/logs/embedded/write-ahead-frame.ts';
import { Prng } from '../../support/prng.ts';

const HALF_BYTES = 2_048;
/** Of a disk: what it writes at once, whole or not at all. Small, so that frames have several. */
const SECTOR_BYTES = 64;

/** A file in memory, and what it would hold had the power gone away within the last write. */
class TearingDisk implements WriteAheadDisk {
  readonly path = 'write-ahead';
  readonly #prng: Prng;
  #whole = Buffer.alloc(0);
  #torn = Buffer.alloc(0);

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  read() {
    return Buffer.from(this.#whole);
  }

  get torn(): WriteAheadDisk {
    return { path: this.path, read: () => this.#torn, begin: (bytes) => this.begin(bytes) };
  }

  begin(bytes: number): WriteAheadFile {
    this.#whole = Buffer.alloc(bytes);
    return {
      write: (frame, at) => {
        this.#torn = this.read();
        for (let from = 0; from < frame.length; from += SECTOR_BYTES) {
          if (this.#prng.chance(0.5)) continue;
          this.#torn.set(frame.subarray(from, from + SECTOR_BYTES), at + from);
        }
        this.#whole.set(frame, at);
      },
      close: () => undefined,
    };
  }
}

function entriesOf(prng: Prng, offset: number): WrittenEntry[] {
  const value = new Uint8Array(STORED.bytes + prng.below(prng.pick([20, 20, 200, 900])));
  value.fill(offset % 256, STORED.bytes);
  return [{ topic: 'in.0', topicId: 0, offset, epoch: 0, value }];
}

function offsetsIn(disk: WriteAheadDisk, needed: AheadNeeded): number[] {
  return writtenAhead(disk, needed).map(({ offset }) => offset);
}

describe('what was written ahead', () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed))(
    'is found from the first frame that is needed on, with a last one torn anywhere, seed %d',
    (seed) => {
      const prng = new Prng(seed);
      const disk = new TearingDisk(prng);
      const ahead = new WriteAhead(disk, HALF_BYTES);
      // Offsets since the half at hand and the one before it were begun.
      let earlier: number[] = [];
      let current: number[] = [];
      let from = ahead.halfFrom;
      for (let offset = 1; offset <= 120; offset++) {
        const entries = entriesOf(prng, offset);
        if (!ahead.hasRoomFor(entries)) {
          // The other half must be free, as `Storage` makes it.
          from = ahead.halfFrom;
          ahead.turnOver();
          [earlier, current] = [current, []];
        } else if (prng.chance(0.1)) from = ahead.halfFrom;
        const needed = { bytes: 2 * HALF_BYTES, from };
        const owed = from === ahead.halfFrom ? [...current] : [...earlier, ...current];
        ahead.append(entries);
        current.push(offset);
        expect(offsetsIn(disk, needed)).toEqual([...owed, offset]);
        expect([owed, [...owed, offset]]).toContainEqual(offsetsIn(disk.torn, needed));
      }
    },
  );
});
