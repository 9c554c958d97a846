/** Envelopes that open, move, cancel and let run out the windows of numbered users. */
import { EnvelopeWriter } from '../../engine/envelope/envelope-writer.ts';
import { type IncomingEvent, RecordKind } from '../../engine/envelope/records.ts';
import { mix32, partitionOf } from '../../engine/state/hash.ts';
import { userIdOf } from '../workload/shop.ts';
import type { FeedLog } from './feed-log.ts';

export const DID = 'Added To Cart';
export const WITHOUT = 'Order Completed';

export class WindowFeed {
  readonly #log: FeedLog;
  readonly #writers: EnvelopeWriter[];
  #events = 0;
  readonly #event: IncomingEvent = {
    kind: RecordKind.track,
    userId: '',
    isAnonymous: false,
    name: DID,
    eventAtMs: 0,
    flags: 0,
    messageId: '',
    properties: {},
  };

  constructor(log: FeedLog) {
    this.#log = log;
    this.#writers = Array.from({ length: log.partitionCount }, () => new EnvelopeWriter());
  }

  control(value: unknown, atMs: number): void {
    for (const writer of this.#writers) writer.addJson(RecordKind.control, value, atMs);
    this.flush();
  }

  /** Of the user of window `number`: the same cart again moves it, an order cancels it. */
  event(name: typeof DID | typeof WITHOUT, number: number, atMs: number): void {
    const event = this.#event;
    event.name = name;
    event.userId = userIdOf(number);
    event.eventAtMs = atMs;
    event.messageId = `m-${++this.#events}`;
    event.properties = {
      cart_id: `cart-${number}`,
      sku: `sku-${mix32(number) % 50_000}`,
      price: (mix32(number) % 100_000) / 100,
      quantity: 1 + (number % 4),
    };
    const partition = partitionOf(event.userId, this.#writers.length);
    const writer = this.#writers[partition]!;
    writer.addEvent(event, atMs);
    if (writer.isFull) this.#log.feed(partition, writer.finish());
  }

  tick(atMs: number): void {
    for (const writer of this.#writers) writer.addTick(atMs);
    this.flush();
  }

  flush(): void {
    for (const [partition, writer] of this.#writers.entries()) {
      if (writer.count > 0) this.#log.feed(partition, writer.finish());
    }
  }
}
