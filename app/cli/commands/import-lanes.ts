/**
 * Several requests in flight, and yet each user's events in the order of the file: a user's events
 * go by one lane, and a lane has one request under way at a time.
 */

import { LapseError } from '../../../engine/errors/errors.ts';
import { partitionOf } from '../../../engine/state/hash.ts';
import type { BatchAnswer, LapseClient } from '../lapse-client.ts';

export interface ImportEvent {
  readonly file: string;
  readonly line: number;
  /** JSON. */
  readonly text: string;
}

export interface ImportRefusal {
  readonly file: string;
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

export interface ImportLanesOptions {
  readonly client: Pick<LapseClient, 'batch'>;
  readonly laneCount: number;
  readonly eventsMax: number;
  readonly bytesMax: number;
  readonly onAnswer: (answer: BatchAnswer, refused: readonly ImportRefusal[]) => void;
}

const ENVELOPE_BYTES = '{"batch":[]}'.length;

export class ImportLanes {
  readonly #lanes: Lane[];

  constructor(options: ImportLanesOptions) {
    this.#lanes = Array.from({ length: options.laneCount }, () => new Lane(options));
  }

  /**
   * Resolves when there is room for the next one.
   * @throws what a request before came to
   */
  add(user: string, event: ImportEvent): Promise<void> {
    return this.#lanes[partitionOf(user, this.#lanes.length)]!.add(event);
  }

  /** Sends what is left and waits for every answer. */
  async end(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.end()));
  }
}

class Lane {
  readonly #options: ImportLanesOptions;
  #events: ImportEvent[] = [];
  #bytes = ENVELOPE_BYTES;
  #inFlight: Promise<void> = Promise.resolve();

  constructor(options: ImportLanesOptions) {
    this.#options = options;
  }

  async add(event: ImportEvent): Promise<void> {
    const { eventsMax, bytesMax } = this.#options;
    const bytes = Buffer.byteLength(event.text) + 1;
    const isFull = this.#events.length >= eventsMax || this.#bytes + bytes > bytesMax;
    if (isFull && this.#events.length > 0) await this.#flush();
    this.#events.push(event);
    this.#bytes += bytes;
  }

  async end(): Promise<void> {
    await this.#flush();
    await this.#inFlight;
  }

  async #flush(): Promise<void> {
    const events = this.#events;
    this.#events = [];
    this.#bytes = ENVELOPE_BYTES;
    await this.#inFlight;
    this.#inFlight = events.length === 0 ? Promise.resolve() : this.#send(events);
    // Thrown at the next flush or at the end; until then nobody waits for it.
    this.#inFlight.catch(() => undefined);
  }

  async #send(events: readonly ImportEvent[]): Promise<void> {
    const { client, onAnswer } = this.#options;
    const body = `{"batch":[${events.map(({ text }) => text).join(',')}]}`;
    let answer: BatchAnswer;
    try {
      answer = await client.batch(body, true);
    } catch (error) {
      const isTooLarge = error instanceof LapseError && error.code === 'ERR_TOO_LARGE';
      if (!isTooLarge || events.length === 1) throw error;
      // This Lapse is set to smaller requests than usual.
      const half = Math.ceil(events.length / 2);
      await this.#send(events.slice(0, half));
      return this.#send(events.slice(half));
    }
    const refused = answer.rejected.map(({ index, code, message }) => {
      const { file, line } = events[index]!;
      return { file, line, code, message };
    });
    onAnswer(answer, refused);
  }
}
