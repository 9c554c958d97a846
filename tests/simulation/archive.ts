import type { Fence, Offset } from '../../engine/log/log.ts';

/** An envelope as it was stored, kept though the log may have forgotten it. */
export interface Archived {
  readonly offset: Offset;
  readonly bytes: Uint8Array;
  readonly fence: Fence | undefined;
  /** Step of the run at which it was stored. */
  readonly step: number;
  /** The world's own time, Unix ms. */
  readonly atMs: number;
}

/** Everything that the log ever stored: what the checkers read. */
export class Archive {
  /** Called once it stands there, whoever stored it. */
  onStored: (topic: string) => void = () => undefined;
  readonly #topics = new Map<string, Archived[]>();

  add(topic: string, envelope: Archived): void {
    const envelopes = this.#topics.get(topic);
    if (envelopes === undefined) this.#topics.set(topic, [envelope]);
    else envelopes.push(envelope);
    this.onStored(topic);
  }

  of(topic: string): readonly Archived[] {
    return this.#topics.get(topic) ?? [];
  }

  get topics(): string[] {
    return [...this.#topics.keys()].sort();
  }
}
