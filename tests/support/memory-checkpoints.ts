import type { Checkpoint } from '../../engine/checkpoint/checkpoint-file.ts';
import {
  CheckpointStore,
  type LoadedCheckpoint,
} from '../../engine/checkpoint/checkpoint-store.ts';

const GENERATIONS = 2;

/** The checkpoints of one partition without a disk, so that a run depends on its seed alone. */
export class MemoryCheckpoints extends CheckpointStore {
  generations: Checkpoint[] = [];
  /** Awaited in the midst of writing. */
  readonly #pause: () => Promise<void>;

  constructor(pause: () => Promise<void> = () => Promise.resolve()) {
    super('', 0);
    this.#pause = pause;
  }

  override async load(): Promise<LoadedCheckpoint> {
    const newest = this.generations[0];
    await this.#pause();
    return { checkpoint: newest && structuredClone(newest), problems: [] };
  }

  override async save(checkpoint: Checkpoint): Promise<{ trimTo: number; bytes: number }> {
    await this.#pause();
    // What is written is read only now, as a slow disk would.
    this.generations.push(structuredClone(checkpoint));
    this.generations.sort((a, b) => b.offset - a.offset || b.epoch - a.epoch);
    this.generations.length = Math.min(this.generations.length, GENERATIONS);
    await this.#pause();
    return { trimTo: this.generations[GENERATIONS - 1]?.offset ?? 0, bytes: 1 };
  }

  override async hasBeyond(offset: number): Promise<boolean> {
    return (this.generations[0]?.offset ?? 0) > offset;
  }
}
