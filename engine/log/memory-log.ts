/**
 * The log in memory of one process: for tests, `simulate` and the seeded simulation. Everything
 * resolves in microtasks, so a run depends on nothing but its inputs. It outlives its users: after
 * `close()` it still holds what was appended, so a simulated restart opens the same object again.
 */
import { epochTakenError, fencedError, judgeFence, movedError } from './fence.ts';
import {
  BEGINNING,
  type Fence,
  type Log,
  type LogReader,
  type Offset,
  type StoredEnvelope,
  type WriterPosition,
} from './log.ts';

export interface MemoryLogOptions {
  readonly partitionCount: number;
  /** What `storedAtMs` is taken from; Unix ms. @default () => 0 */
  readonly now?: () => number;
  /**
   * Called before an append or a claim is judged and stored; for fault injection. A promise delays
   * it (and all later ones of the topic), a throw rejects it with nothing stored.
   */
  readonly beforeStore?: (topic: string, bytes: Uint8Array) => void | Promise<void>;
  /**
   * Called after it was stored and before the caller learns; a throw rejects what nevertheless
   * stands, as a lost acknowledgement does.
   */
  readonly afterStore?: (topic: string, offset: Offset) => void | Promise<void>;
}

interface Topic {
  /** `envelopes[i]` has offset `trimmedUpTo + 1 + i`. */
  envelopes: StoredEnvelope[];
  trimmedUpTo: Offset;
  readonly positions: Map<number, WriterPosition>;
  readonly readers: Set<MemoryReader>;
  /** Settles when all appends called so far have. */
  idle: Promise<unknown>;
}

class MemoryReader implements LogReader {
  readonly #topic: Topic;
  readonly #onReadable: () => void;
  #after: Offset;
  #isWaiting = false;

  constructor(topic: Topic, after: Offset, onReadable: () => void) {
    this.#topic = topic;
    this.#after = after;
    this.#onReadable = onReadable;
    topic.readers.add(this);
  }

  poll(): StoredEnvelope | undefined {
    const { envelopes, trimmedUpTo } = this.#topic;
    const envelope = envelopes[Math.max(0, this.#after - trimmedUpTo)];
    if (envelope === undefined) {
      this.#isWaiting = true;
      return undefined;
    }
    this.#after = envelope.offset;
    return envelope;
  }

  wake(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    queueMicrotask(() => {
      if (this.#topic.readers.has(this)) this.#onReadable();
    });
  }

  close(): void {
    this.#topic.readers.delete(this);
  }
}

export class MemoryLog implements Log {
  readonly partitionCount: number;
  readonly #options: MemoryLogOptions;
  readonly #now: () => number;
  readonly #topics = new Map<string, Topic>();
  readonly #epochs = new Map<number, number>();

  constructor(options: MemoryLogOptions) {
    this.partitionCount = options.partitionCount;
    this.#options = options;
    this.#now = options.now ?? (() => 0);
  }

  append(name: string, bytes: Uint8Array, fence?: Fence): Promise<Offset | undefined> {
    const topic = this.#topicOf(name);
    return this.#inOrder(name, topic, new Uint8Array(bytes), (copy) => {
      if (fence === undefined) return this.#store(topic, copy);
      const stored = topic.positions.get(fence.writer);
      const verdict = judgeFence(stored, fence);
      if (verdict === 'fenced') throw fencedError(name, fence, stored?.epoch ?? 0);
      if (verdict === 'moved') throw movedError(name, fence);
      if (verdict === 'replay') return undefined;
      topic.positions.set(fence.writer, fence.position);
      return this.#store(topic, copy, fence);
    });
  }

  claim(partition: number, epoch: number, bytes: Uint8Array): Promise<Offset> {
    const name = `in.${partition}`;
    const topic = this.#topicOf(name);
    return this.#inOrder(name, topic, new Uint8Array(bytes), (copy) => {
      const latest = this.#epochs.get(partition) ?? 0;
      if (epoch <= latest) throw epochTakenError(partition, epoch, latest);
      this.#epochs.set(partition, epoch);
      return this.#store(topic, copy);
    });
  }

  async epochOf(partition: number): Promise<number> {
    return this.#epochs.get(partition) ?? 0;
  }

  read(name: string, after: Offset, onReadable: () => void): LogReader {
    return new MemoryReader(this.#topicOf(name), after, onReadable);
  }

  async tail(name: string): Promise<Offset> {
    const { envelopes, trimmedUpTo } = this.#topicOf(name);
    return trimmedUpTo + envelopes.length;
  }

  async head(name: string): Promise<Offset> {
    return this.#topicOf(name).envelopes[0]?.offset ?? BEGINNING;
  }

  async positionOf(name: string, writer: number): Promise<WriterPosition | undefined> {
    return this.#topicOf(name).positions.get(writer);
  }

  async trim(name: string, upTo: Offset): Promise<void> {
    const topic = this.#topicOf(name);
    const count = Math.min(upTo - topic.trimmedUpTo, topic.envelopes.length);
    if (count <= 0) return;
    topic.envelopes = topic.envelopes.slice(count);
    topic.trimmedUpTo += count;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#topics.values()].map((topic) => topic.idle));
  }

  #topicOf(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = {
        envelopes: [],
        trimmedUpTo: BEGINNING,
        positions: new Map(),
        readers: new Set(),
        idle: Promise.resolve(),
      };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  /** Runs `store` after the appends called before, with the hooks around it. */
  #inOrder<Result extends Offset | undefined>(
    name: string,
    topic: Topic,
    bytes: Uint8Array,
    store: (bytes: Uint8Array) => Result,
  ): Promise<Result> {
    const { beforeStore, afterStore } = this.#options;
    const done = topic.idle.then(async () => {
      if (beforeStore !== undefined) await beforeStore(name, bytes);
      const offset = store(bytes);
      if (afterStore !== undefined && offset !== undefined) await afterStore(name, offset);
      return offset;
    });
    topic.idle = done.catch(() => undefined);
    return done;
  }

  #store(topic: Topic, bytes: Uint8Array, fence?: Fence): Offset {
    const offset = topic.trimmedUpTo + topic.envelopes.length + 1;
    const storedAtMs = this.#now();
    topic.envelopes.push(
      fence === undefined ? { offset, storedAtMs, bytes } : { offset, storedAtMs, fence, bytes },
    );
    for (const reader of topic.readers) reader.wake();
    return offset;
  }
}
