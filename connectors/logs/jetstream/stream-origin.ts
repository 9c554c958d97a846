/**
 * Which stream a stream is. One that is deleted and made again has the same name, and its sequences
 * start at 1 again: offsets that were recorded before would point into the middle of it, or behind
 * its end. So the log notes when each of its streams was created, and refuses another one.
 */
import type { JetStreamClient, JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { LapseError } from '../../../engine/errors/errors.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import { ApiErrorCode, apiErrorCodeOf } from './api-errors.ts';
import { createdSubject, streamOf } from './subjects.ts';

/** A server that has just started may not have found its streams yet. */
const LOOKS_MAX = 4;
const LOOK_AGAIN_MS = 500;

export function goneError(name: string, reason: string): LapseError {
  return new LapseError(
    'ERR_LOG_GONE',
    `The stream ${name} must be the one that Lapse made for its log, ${reason}. What it held is lost to Lapse: bring ` +
      "the streams and the data folder back from one backup, or start anew without both (all of the log's streams " +
      'deleted, and an empty data folder).',
    { domain: 'user', facts: { name } },
  );
}

export function deletedError(name: string): LapseError {
  return goneError(name, 'it was deleted');
}

function replacedError(name: string, expected: string, created: string): LapseError {
  return goneError(name, `created at ${expected}; the one that is there was created at ${created}`);
}

/** @returns when the log's stream of this kind was created, undefined when none was noted yet */
export async function readCreatedNote(
  manager: JetStreamManager,
  prefix: string,
  kind: string,
): Promise<string | undefined> {
  const subject = createdSubject(prefix, kind);
  const note = await manager.streams.getMessage(streamOf(prefix, 'meta'), {
    last_by_subj: subject,
  });
  return note === null ? undefined : note.string();
}

/**
 * Notes when the stream was created, once; or compares it with what was noted.
 * @throws LapseError `ERR_LOG_GONE` when the note is of another stream
 */
export async function requireNoted(
  { manager, client }: { readonly manager: JetStreamManager; readonly client: JetStreamClient },
  prefix: string,
  kind: string,
  created: string,
): Promise<void> {
  let noted = await readCreatedNote(manager, prefix, kind);
  if (noted === undefined) {
    try {
      const subject = createdSubject(prefix, kind);
      await client.publish(subject, created, { expect: { lastSubjectSequence: 0 } });
      return;
    } catch (error) {
      if (apiErrorCodeOf(error) !== ApiErrorCode.wrongLastSequence) throw error;
      // Another thread was first.
      noted = await readCreatedNote(manager, prefix, kind);
    }
  }
  if (noted !== created) throw replacedError(streamOf(prefix, kind), String(noted), created);
}

/** The streams that this connection has used, and which they were then. */
export class StreamOrigins {
  readonly #manager: JetStreamManager;
  readonly #clock: Clock;
  readonly #prefix: string;
  readonly #known = new Map<string, { created: string; lastSequence: number }>();

  constructor(manager: JetStreamManager, clock: Clock, prefix: string) {
    this.#manager = manager;
    this.#clock = clock;
    this.#prefix = prefix;
  }

  learn(kind: string, created: string): void {
    if (!this.#known.has(kind)) this.#known.set(kind, { created, lastSequence: 0 });
  }

  async checkAll(): Promise<void> {
    await Promise.all([...this.#known.keys()].map((kind) => this.check(kind)));
  }

  /**
   * Asks the server whether the stream is still the one that it was.
   * @throws LapseError `ERR_LOG_GONE`; what the server or the connection answers
   */
  async check(kind: string): Promise<void> {
    const known = this.#known.get(kind);
    if (known === undefined) return;
    const name = streamOf(this.#prefix, kind);
    // Of several questions under way the later one may be answered first.
    const least = known.lastSequence;
    const { created, state } = await this.#look(name);
    if (created !== known.created) throw replacedError(name, known.created, created);
    if (state.last_seq < least) {
      const reason = `it ended at ${least} and ends at ${state.last_seq} now`;
      throw goneError(name, reason);
    }
    known.lastSequence = Math.max(known.lastSequence, state.last_seq);
  }

  async #look(name: string): Promise<StreamInfo> {
    for (let look = 1; ; look++) {
      try {
        return await this.#manager.streams.info(name);
      } catch (error) {
        if (apiErrorCodeOf(error) !== ApiErrorCode.streamNotFound) throw error;
        if (look === LOOKS_MAX) throw deletedError(name);
      }
      await new Promise<void>((resolve) => {
        this.#clock.at(this.#clock.now() + LOOK_AGAIN_MS, resolve);
      });
    }
  }
}
