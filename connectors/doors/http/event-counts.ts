/** Counts what becomes of the events of one request, for senders who ask: `lapse import` does. */
import { type IncomingEvent, RecordFlag } from '../../../engine/envelope/records.ts';
import type { AskPartitions, EventQuery } from '../../../engine/intake/event-standing.ts';

/** Of the events that were accepted; their sum is `accepted`. */
export interface EventCounts {
  new: number;
  /** Ignored: their message ids were seen before. */
  known: number;
  /** Too old or too far ahead to trigger; they may still cancel and convert. */
  tooOld: number;
  /** No campaign asks about them, so their ids are not remembered. */
  unasked: number;
}

export class EventCounting {
  readonly #queries: EventQuery[] = [];
  readonly #areTooOld: boolean[] = [];
  readonly #seen = new Set<string>();
  #repeated = 0;

  /** @param event is copied */
  add({ kind, userId, isAnonymous, name, messageId, flags }: Readonly<IncomingEvent>): void {
    const id = JSON.stringify([userId, isAnonymous, messageId]);
    if (this.#seen.has(id)) {
      this.#repeated++;
      return;
    }
    this.#seen.add(id);
    this.#queries.push({ kind, userId, isAnonymous, name, messageId });
    this.#areTooOld.push((flags & RecordFlag.historyOnly) !== 0);
  }

  /** To be called in the turn in which the events are handed over, before they are in the log. */
  async count(ask: AskPartitions): Promise<EventCounts> {
    const counts: EventCounts = { new: 0, known: this.#repeated, tooOld: 0, unasked: 0 };
    const standings = await ask(this.#queries);
    for (const [i, standing] of standings.entries()) {
      if (standing === 'new' && this.#areTooOld[i] === true) counts.tooOld++;
      else counts[standing]++;
    }
    return counts;
  }
}
