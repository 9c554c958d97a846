import type { Log, LogReader, Offset, StoredEnvelope } from '../log/log.ts';
import type { UnreadDeliveries } from './protocol.ts';

export const NOTHING_UNREAD: UnreadDeliveries = { count: 0, ageMs: 0 };

export interface LaneUnreadOptions {
  readonly log: Log;
  readonly topic: string;
  /** Deliveries in an envelope of `out`. */
  readonly countOf: (bytes: Uint8Array) => number;
}

/**
 * How many deliveries stand in a lane's log behind the one that has no room. Offsets do not tell:
 * they are not dense, and an envelope holds from one to a thousand. So a second reader goes ahead
 * and counts, a bounded piece at each look, and only while the lane is behind: what is counted has
 * been read twice. Until it has come to the end, there are more than it says.
 */
export class LaneUnread {
  readonly #options: LaneUnreadOptions;
  #ahead: LogReader | undefined;
  /** The last envelope that is in the count. */
  #countedTo: Offset = 0;
  #count = 0;

  constructor(options: LaneUnreadOptions) {
    this.#options = options;
  }

  /**
   * Counts on.
   * @param next the envelope that the lane takes next; undefined when none is at hand
   * @param bytesMax so many bytes and one envelope more
   * @throws LapseError when the log broke
   */
  look(next: StoredEnvelope | undefined, bytesMax: number, nowMs: number): UnreadDeliveries {
    if (next === undefined) {
      // More may be on its way to the lane, and is counted already.
      if (this.#count === 0) this.close();
      return { count: this.#count, ageMs: 0 };
    }
    this.#ahead ??= this.#begin(next);
    for (let bytes = 0; bytes < bytesMax; ) {
      const envelope = this.#ahead.poll();
      if (envelope === undefined) break;
      this.#countedTo = envelope.offset;
      this.#count += this.#countOf(envelope);
      bytes += envelope.bytes.length;
    }
    return { count: this.#count, ageMs: Math.max(0, nowMs - next.storedAtMs) };
  }

  /** The lane has taken it. */
  taken(envelope: StoredEnvelope): void {
    if (this.#ahead === undefined) return;
    if (envelope.offset > this.#countedTo) this.close();
    else this.#count -= this.#countOf(envelope);
  }

  close(): void {
    this.#ahead?.close();
    this.#ahead = undefined;
    this.#count = 0;
  }

  #begin(next: StoredEnvelope): LogReader {
    const { log, topic } = this.#options;
    this.#countedTo = next.offset;
    this.#count = this.#countOf(next);
    // Nobody is called: each look asks.
    return log.read(topic, next.offset, () => {});
  }

  #countOf({ bytes }: StoredEnvelope): number {
    try {
      return this.#options.countOf(bytes);
    } catch {
      // The lane will say so and stop when it comes there; what stands before it is sent first.
      return 0;
    }
  }
}
