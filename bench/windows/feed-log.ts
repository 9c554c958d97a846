/**
 * A log that holds what it is fed until it is read: ten million events need no disk here. Outputs
 * are counted as durable at once and kept until somebody takes them.
 */
import {
  BEGINNING,
  type Log,
  type LogReader,
  type Offset,
  type StoredEnvelope,
} from '../../engine/log/log.ts';

class FeedTopic implements LogReader {
  tail: Offset = BEGINNING;
  #waiting: StoredEnvelope[] = [];
  #onReadable: () => void = () => {};
  #isAsleep = false;

  open(onReadable: () => void): LogReader {
    this.#onReadable = onReadable;
    return this;
  }

  push(bytes: Uint8Array): Offset {
    this.#waiting.push({ offset: ++this.tail, storedAtMs: 0, bytes });
    if (this.#isAsleep) {
      this.#isAsleep = false;
      this.#onReadable();
    }
    return this.tail;
  }

  poll(): StoredEnvelope | undefined {
    const envelope = this.#waiting.shift();
    this.#isAsleep = envelope === undefined;
    return envelope;
  }

  close(): void {
    this.#onReadable = () => {};
  }
}

export class FeedLog implements Log {
  readonly partitionCount: number;
  readonly #inputs: FeedTopic[];
  readonly #epochs: number[];
  #outputs: Uint8Array[] = [];
  #appended: Offset = BEGINNING;

  constructor(partitionCount: number) {
    this.partitionCount = partitionCount;
    this.#inputs = Array.from({ length: partitionCount }, () => new FeedTopic());
    this.#epochs = new Array<number>(partitionCount).fill(0);
  }

  feed(partition: number, bytes: Uint8Array): void {
    this.#inputs[partition]!.push(bytes);
  }

  /** Envelopes of the lanes since the last call. */
  takeOutputs(): Uint8Array[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  append(topic: string, bytes: Uint8Array): Promise<Offset | undefined> {
    if (topic.startsWith('out.')) this.#outputs.push(bytes.slice());
    return Promise.resolve(++this.#appended);
  }

  claim(partition: number, epoch: number, bytes: Uint8Array): Promise<Offset> {
    this.#epochs[partition] = epoch;
    return Promise.resolve(this.#inputs[partition]!.push(bytes));
  }

  epochOf(partition: number): Promise<number> {
    return Promise.resolve(this.#epochs[partition]!);
  }

  read(topic: string, _after: Offset, onReadable: () => void): LogReader {
    return this.#inputOf(topic)!.open(onReadable);
  }

  /** Of marks and lanes nothing is known: they are never read here. */
  tail(topic: string): Promise<Offset> {
    return Promise.resolve(this.#inputOf(topic)?.tail ?? BEGINNING);
  }

  head(topic: string): Promise<Offset> {
    return this.tail(topic);
  }

  positionOf(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  trim(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #inputOf(topic: string): FeedTopic | undefined {
    return topic.startsWith('in.') ? this.#inputs[Number(topic.slice(3))] : undefined;
  }
}
