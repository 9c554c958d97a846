/** What a thread knows of a topic that somebody in it reads. */
import type { LapseError } from '../../../engine/errors/errors.ts';
import type { Offset } from '../../../engine/log/log.ts';
import type { TopicNews } from './storage-protocol.ts';

/** A reader of the topic in the same thread. */
export interface Follower {
  /** There may be something to read. */
  wake(): void;
}

export class FollowedTopic {
  readonly name: string;
  readonly followers = new Set<Follower>();
  topicId = 0;
  tail: Offset = 0;
  trimmedUpTo: Offset = 0;
  /** Up to here its values stand in the tables. */
  flushedUpTo: Offset = 0;
  /** The values behind that. */
  #fresh: Uint8Array[] = [];
  #isKnown = false;
  failure: LapseError | undefined;

  constructor(name: string) {
    this.name = name;
  }

  onNews(news: TopicNews, values: readonly Uint8Array[]): void {
    // Meant for one who followed it before: the whole comes behind it.
    if (!this.#isKnown && !news.isWhole) return;
    this.#isKnown = true;
    if (news.isWhole) this.#fresh = [...values];
    else {
      this.#fresh.splice(0, news.flushedUpTo - this.flushedUpTo);
      for (const value of values) this.#fresh.push(value);
    }
    this.flushedUpTo = news.flushedUpTo;
    this.topicId = news.topicId;
    this.tail = news.tail;
    this.trimmedUpTo = Math.max(this.trimmedUpTo, news.trimmedUpTo);
    for (const follower of this.followers) follower.wake();
  }

  /** A value that the tables do not have yet. */
  freshAt(offset: Offset): Uint8Array | undefined {
    return this.#fresh[offset - this.flushedUpTo - 1];
  }

  fail(error: LapseError): void {
    this.failure = error;
    for (const follower of this.followers) follower.wake();
  }
}
