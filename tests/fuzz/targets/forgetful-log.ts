import { emptyEvent } from '../../../connectors/events/check-event.ts';
import { EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { type Leave, RecordKind } from '../../../engine/envelope/records.ts';
import { arrivalOf } from '../../../engine/intake/identities.ts';
import type { Intake } from '../../../engine/intake/intake.ts';
import type { Log, LogReader, Offset, WriterPosition } from '../../../engine/log/log.ts';

/** What JetStream takes in one message unless it is set to more. */
export const ENVELOPE_BYTES_MAX = 1024 * 1024;

/**
 * Takes whatever is appended and keeps none of it, so that a million inputs need no memory; only
 * counts, and how large the largest envelope was.
 */
export class ForgetfulLog implements Log {
  readonly partitionCount = 4;
  readonly #reader = new EnvelopeReader();
  #offset = 0;
  /** Events in the envelopes of partitions. */
  events = 0;
  largestBytes = 0;
  /** No partition reads this log: the doors are told at once that a user has arrived. */
  intake: Intake | undefined;

  async append(topic: string, bytes: Uint8Array): Promise<Offset> {
    this.largestBytes = Math.max(this.largestBytes, bytes.length);
    if (topic.startsWith('in.')) {
      this.#reader.load(bytes);
      for (let i = 0; i < this.#reader.count; i++) {
        if (this.#reader.kind[i] === RecordKind.leave)
          this.#arrive(this.#reader.jsonOf(i) as Leave);
        if (this.#reader.kind[i]! >= RecordKind.tick) continue;
        this.events++;
        this.#reader.propertiesOf(i);
      }
    }
    return ++this.#offset;
  }

  #arrive({ token, to }: Leave): void {
    const { intake } = this;
    if (intake === undefined) return;
    // At the end of its chain of ids; so late that nobody may have seen it before the join.
    const event = { ...emptyEvent(), userId: to.id, isAnonymous: to.isAnonymous };
    intake.identities.settle(event, Infinity);
    const last = { id: event.userId, isAnonymous: event.isAnonymous };
    for (const user of [to, last]) {
      intake.moved(arrivalOf(token, user));
    }
  }

  async claim(): Promise<Offset> {
    return ++this.#offset;
  }

  async epochOf(): Promise<number> {
    return 0;
  }

  read(): LogReader {
    return { poll: () => undefined, close: () => undefined };
  }

  async tail(): Promise<Offset> {
    return 0;
  }

  async head(): Promise<Offset> {
    return 0;
  }

  async positionOf(): Promise<WriterPosition | undefined> {
    return undefined;
  }

  async trim(): Promise<void> {}

  async close(): Promise<void> {}
}
