import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { externalError, LapseError, messageOf } from '../../../engine/errors/errors.ts';
import { type ConditionReporter, silentReporter } from '../../../engine/health/conditions.ts';
import { isStreamMissing, requireSuitable } from './event-stream.ts';
import type { StreamPosition } from './source-position.ts';
import { identityOf, idPrefixOf } from './stream-identity.ts';

export interface FollowedStreamOptions {
  readonly manager: JetStreamManager;
  readonly name: string;
  /** The subject that it must capture. */
  readonly events: string;
  readonly conditions: ConditionReporter | undefined;
  readonly onNotice: ((notice: LapseError) => void) | undefined;
}

/** The stream that a door reads: whether it is there, and whether it is still the same one. */
export class FollowedStream {
  readonly name: string;
  readonly manager: JetStreamManager;
  readonly #options: FollowedStreamOptions;
  readonly #conditions: ConditionReporter;
  #identity: string;
  #isMissing = false;

  constructor(options: FollowedStreamOptions, identity: string) {
    this.#options = options;
    this.name = options.name;
    this.manager = options.manager;
    this.#conditions = options.conditions ?? silentReporter;
    this.#identity = identity;
  }

  /** Which stream of its name it is, see `identityOf`. */
  get identity(): string {
    return this.#identity;
  }

  /** Of the ids of events that bring none. */
  get idPrefix(): string {
    return idPrefixOf(this.name, this.#identity);
  }

  /** There is no stream, or one that cannot be read: nothing comes, and nothing is waited for. */
  get isMissing(): boolean {
    return this.#isMissing;
  }

  /**
   * @returns whether another stream has taken the place of the one that the position is of
   * @throws LapseError `ERR_NATS_STREAM` when it cannot serve; what the server answers
   */
  async isRenewed(position: StreamPosition): Promise<boolean> {
    const identity = await identityOf(this.manager, await this.#look(), position);
    return !this.#isStill(identity);
  }

  /** Says that another stream has taken its place. */
  renewed(): void {
    const sentence = `The stream '${this.name}' was made anew, so Lapse reads it from its first message on. What was not read of the old one is lost.`;
    const facts = { stream: this.name, identity: this.#identity };
    this.#options.onNotice?.(externalError('ERR_NATS_STREAM_RENEWED', sentence, { facts }));
  }

  /** Whether the server says for certain, and now, that nothing can be read. */
  async isMissingNow(): Promise<boolean> {
    try {
      await this.#look();
      return false;
    } catch (error) {
      if (isMissing(error)) return true;
      throw error;
    }
  }

  /** It is being read. */
  readable(): void {
    this.#isMissing = false;
    this.#conditions.over('stream-gone', this.name);
    this.#conditions.over('stream-unreadable', this.name);
  }

  /** @returns whether it has been found missing, and was not before */
  failed(error: unknown): boolean {
    if (isStreamMissing(error)) {
      const sentence = `The stream '${this.name}' of events is gone: nothing published to it comes in until it is made again. Other doors and timers go on.`;
      this.#conditions.begin('stream-gone', this.name, sentence);
    } else {
      this.#conditions.over('stream-gone', this.name);
      const reason = messageOf(error).replace(/\.$/, '');
      const sentence = `Lapse cannot read the stream '${this.name}' of events and tries again: ${reason}.`;
      this.#conditions.begin('stream-unreadable', this.name, sentence);
    }
    const wasMissing = this.#isMissing;
    this.#isMissing ||= isMissing(error);
    return this.#isMissing && !wasMissing;
  }

  #isStill(identity: string): boolean {
    const isSame = identity === this.#identity;
    this.#identity = identity;
    return isSame;
  }

  async #look(): Promise<StreamInfo> {
    const info = await this.manager.streams.info(this.name);
    requireSuitable(info, { stream: this.name, events: this.#options.events });
    return info;
  }
}

function isMissing(error: unknown): boolean {
  return (
    isStreamMissing(error) || (error instanceof LapseError && error.code === 'ERR_NATS_STREAM')
  );
}
