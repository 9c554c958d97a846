/** Memory shared with the thread that fuzzes: the input at hand, seen from outside. */
const HEADER_BYTES = 8;
export const WINDOW_BYTES = HEADER_BYTES + 512 * 1024;

export class InputWindow {
  /** Number of the input at hand, 0 between two; its length. */
  readonly #header: Int32Array;
  readonly #bytes: Uint8Array;
  #number = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#header = new Int32Array(memory, 0, 2);
    this.#bytes = new Uint8Array(memory, HEADER_BYTES);
  }

  begin(input: Uint8Array): void {
    const length = Math.min(input.length, this.#bytes.length);
    this.#bytes.set(input.subarray(0, length));
    Atomics.store(this.#header, 1, length);
    Atomics.store(this.#header, 0, ++this.#number);
  }

  end(): void {
    Atomics.store(this.#header, 0, 0);
  }

  /** 0 when none is at hand. */
  get number(): number {
    return Atomics.load(this.#header, 0);
  }

  get input(): Uint8Array {
    return this.#bytes.slice(0, Atomics.load(this.#header, 1));
  }
}
