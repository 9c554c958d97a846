export interface OutputRoomOptions {
  /** @default 20_000 */
  readonly outputsMax?: number;
  /** As `Pipeline.outputBytes` counts them. @default 32 MiB */
  readonly bytesMax?: number;
}

/**
 * How many outputs may wait for the log at once, over all partitions of a thread: what is due at
 * one instant is due in all of them, and a bound for each alone would be none.
 */
export class OutputRoom {
  readonly #outputsMax: number;
  readonly #bytesMax: number;
  readonly #listeners = new Set<() => void>();
  #outputs = 0;
  #bytes = 0;

  constructor(options: OutputRoomOptions = {}) {
    this.#outputsMax = options.outputsMax ?? 20_000;
    this.#bytesMax = options.bytesMax ?? 32 * 2 ** 20;
  }

  get isFree(): boolean {
    return this.#outputs < this.#outputsMax && this.#bytes < this.#bytesMax;
  }

  /** @param onFree is called each time that there is room again */
  join(onFree: () => void): void {
    this.#listeners.add(onFree);
  }

  leave(onFree: () => void): void {
    this.#listeners.delete(onFree);
  }

  take(bytes: number): void {
    this.#outputs++;
    this.#bytes += bytes;
  }

  give(outputs: number, bytes: number): void {
    const wasFree = this.isFree;
    this.#outputs -= outputs;
    this.#bytes -= bytes;
    if (!wasFree && this.isFree) for (const onFree of this.#listeners) onFree();
  }
}
