import { Acknowledgement } from '../../../engine/intake/acknowledgement.ts';

/** Messages that share an acknowledgement. */
export interface Chunk {
  readonly acknowledgement: Acknowledgement;
  /** Stream sequence of its last message, 0 while it is empty. */
  lastSequence: number;
  /** When the stream stored that one, Unix ms. */
  lastStoredAtMs: number;
  count: number;
}

/**
 * Follows the chunks of one consumer until they are durable. They become so in any order, as
 * partitions are appended side by side; the position is the end of the unbroken row of them. Once
 * one has failed the row ends there for good, and what lies behind is read again.
 */
export class ChunkTrail {
  readonly #onDurable: (chunk: Chunk) => void;
  readonly #onFailure: (error: unknown) => void;
  readonly #sent: { readonly chunk: Chunk; isDurable: boolean }[] = [];
  #isBroken = false;
  #unsettled = 0;
  #waiters: (() => void)[] = [];

  constructor(calls: {
    /** Everything up to the end of this chunk is durable. Called in order. */
    readonly onDurable: (chunk: Chunk) => void;
    /** Called once. */
    readonly onFailure: (error: unknown) => void;
  }) {
    this.#onDurable = calls.onDurable;
    this.#onFailure = calls.onFailure;
  }

  /** @param onFailure called as soon as a part of it has failed */
  static newChunk(onFailure: () => void): Chunk {
    const acknowledgement = new Acknowledgement({ onFailure });
    return { acknowledgement, lastSequence: 0, lastStoredAtMs: 0, count: 0 };
  }

  /** Takes a chunk to which nothing will be added. Chunks come in order of their sequences. */
  send(chunk: Chunk): void {
    const sent = { chunk, isDurable: false };
    this.#sent.push(sent);
    this.#unsettled++;
    chunk.acknowledgement.close().then(
      () => {
        sent.isDurable = true;
        this.#advance();
        this.#settled();
      },
      (error: unknown) => {
        if (!this.#isBroken) this.#onFailure(error);
        this.#isBroken = true;
        this.#settled();
      },
    );
  }

  /** Resolves when no chunk is on its way. */
  idle(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #advance(): void {
    let last: Chunk | undefined;
    while (this.#sent[0]?.isDurable === true) {
      const { chunk } = this.#sent.shift()!;
      // One whose first message could not be added is empty and says nothing.
      if (chunk.lastSequence > 0) last = chunk;
    }
    if (last !== undefined) this.#onDurable(last);
  }

  #settled(): void {
    if (--this.#unsettled === 0) for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
