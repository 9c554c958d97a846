/**
 * A file that only takes up room. Forgetting envelopes needs a few free pages first, so on a disk
 * that is full to the brim nothing could ever be trimmed; then this file makes way.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What deleting some thousand envelopes needs, with room to spare. */
const RESERVE_BYTES = 2 * 2 ** 20;

export class DiskReserve {
  readonly #path: string;

  constructor(directory: string) {
    this.#path = join(directory, 'reserve');
  }

  /** Takes the room unless it is taken; a disk too full for it is no error yet. */
  hold(): void {
    if (existsSync(this.#path)) return;
    try {
      writeFileSync(this.#path, new Uint8Array(RESERVE_BYTES));
    } catch {
      rmSync(this.#path, { force: true });
    }
  }

  /** Returns whether there was any room to give. */
  release(): boolean {
    if (!existsSync(this.#path)) return false;
    rmSync(this.#path, { force: true });
    return true;
  }
}
