import { LapseError } from '../../../engine/errors/errors.ts';
import type { Log, Offset } from '../../../engine/log/log.ts';
import type { Clock } from '../../../engine/time/clock.ts';

/** How far into a stream everything is durable in our log. */
export interface StreamPosition {
  /** Of the last message; 0 before the first. */
  readonly sequence: number;
  /** When the stream stored that message, Unix ms: so far the horizon was, and is at a start. */
  readonly storedAtMs: number;
  /** When the stream was created, as its server says it: another one counts from 1 again. */
  readonly created: string;
}

const SAVE_GAP_MS = 200;
const SAVES_PER_TRIM = 50;

/**
 * Keeps the position in the topic `door.<stream>` of the log itself, so that it is as durable as
 * the events and moves with them. It is saved now and then: after a crash the events since the
 * last save come again, with the same ids, and are known by them.
 */
export class SourcePosition {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #topic: string;
  #latest: StreamPosition | undefined;
  #saving: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #saves = 0;

  constructor(log: Log, clock: Clock, stream: string) {
    this.#log = log;
    this.#clock = clock;
    this.#topic = `door.${stream}`;
  }

  async load(): Promise<StreamPosition | undefined> {
    const tail = await this.#log.tail(this.#topic);
    if (tail === 0) return undefined;
    return await new Promise((resolve, reject) => {
      const poll = () => {
        try {
          for (let stored = reader.poll(); stored !== undefined; stored = reader.poll()) {
            if (stored.offset < tail) continue;
            reader.close();
            resolve(decodePosition(stored.bytes));
            return;
          }
        } catch (error) {
          reject(error);
        }
      };
      const reader = this.#log.read(this.#topic, tail - 1, poll);
      poll();
    });
  }

  /** Resolves once it is durable. @throws LapseError when the log does not take it */
  save(position: StreamPosition): Promise<void> {
    return this.#append(position);
  }

  /** Saves it soon, or a later one in its place. */
  set(position: StreamPosition): void {
    this.#latest = position;
    if (this.#saving !== undefined || this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#clock.at(this.#clock.now() + SAVE_GAP_MS, () => {
      this.#cancelTimer = undefined;
      this.#saving = this.#save();
    });
  }

  /** Saves at once what is not saved yet. */
  async flush(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    await this.#saving;
    await this.#save();
  }

  async #save(): Promise<void> {
    const position = this.#latest;
    this.#latest = undefined;
    try {
      if (position !== undefined) await this.#append(position);
    } catch {
      // An older position is still right: more comes again, and the log reports its failures.
    }
    this.#saving = undefined;
    if (this.#latest !== undefined) this.set(this.#latest);
  }

  async #append(position: StreamPosition): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(position));
    const offset = (await this.#log.append(this.#topic, bytes)) as Offset;
    if (++this.#saves % SAVES_PER_TRIM === 0) await this.#log.trim(this.#topic, offset - 1);
  }
}

/** @throws LapseError `ERR_ENVELOPE_CORRUPT` */
export function decodePosition(bytes: Uint8Array): StreamPosition {
  let position: Partial<StreamPosition> | null = null;
  try {
    position = JSON.parse(new TextDecoder().decode(bytes)) as Partial<StreamPosition> | null;
  } catch {
    // Refused below, in our words.
  }
  const { sequence, storedAtMs, created } = position ?? {};
  const isWhole =
    Number.isSafeInteger(sequence) &&
    sequence! >= 0 &&
    Number.isFinite(storedAtMs) &&
    typeof created === 'string';
  if (isWhole) return { sequence: sequence!, storedAtMs: storedAtMs!, created };
  throw new LapseError(
    'ERR_ENVELOPE_CORRUPT',
    'The position in a stream must be JSON with a sequence, a time and a date, it is not.',
  );
}
