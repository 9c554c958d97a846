/** What comes in a NATS message or a line: JSON, a JSON array, NDJSON and msgpack of either. */
import { isUtf8 } from 'node:buffer';
import {
  checkEvent,
  type EventContext,
  emptyEvent,
} from '../../../connectors/events/check-event.ts';
import { Payload } from '../../../connectors/events/decode-payload.ts';
import {
  DEFAULT_EVENT_LIMITS,
  MESSAGE_ID_CHARS_MAX,
  USER_ID_CHARS_MAX,
} from '../../../connectors/events/event-limits.ts';
import { noRepairs } from '../../../connectors/events/repairs.ts';
import { EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { EnvelopeWriter } from '../../../engine/envelope/envelope-writer.ts';
import type { IncomingEvent } from '../../../engine/envelope/records.ts';
import { exactNumber, wholeNumber } from '../../../engine/json/whole-numbers.ts';
import { writeJson } from '../../../engine/json/write-json.ts';
import { demand, type FuzzRunner, type FuzzTarget, type Outcome } from '../target.ts';
import { EVENT_WORDS, MSGPACK_SEEDS, NDJSON_SEEDS, PAYLOAD_SEEDS } from './event-seeds.ts';

const RECEIVED_AT_MS = Date.parse('2026-01-05T09:00:00Z');
const limits = DEFAULT_EVENT_LIMITS;

/** Decodes a payload, checks its events and stores the good ones in an envelope. */
class PayloadRunner implements FuzzRunner {
  readonly #payload = new Payload();
  readonly #event = emptyEvent();
  readonly #writer = new EnvelopeWriter();
  readonly #reader = new EnvelopeReader();
  readonly #context: EventContext = {
    limits,
    receivedAtMs: RECEIVED_AT_MS,
    byteLength: 0,
    type: undefined,
    sentAt: undefined,
    index: 0,
    repairs: noRepairs(),
    messageIdOf: (index) => `fuzz:${index}`,
  };

  run(input: Uint8Array): Outcome {
    const payload = this.#payload;
    payload.decode(input);
    const { values } = payload;
    const context = this.#context;
    let accepted = 0;
    for (let i = 0; i < values.length; i++) {
      context.index = i;
      context.byteLength = payload.byteLengthOf(i, limits.eventBytesMax);
      const bytes = payload.bytesOf(i);
      demand(bytes.length <= input.length, () => `Value ${i} is longer than its payload.`);
      const refused = payload.refusalOf(i) ?? checkEvent(values[i], context, this.#event);
      if (refused !== undefined) {
        demand(
          refused.message.length < 1_000,
          () => `A refusal of ${refused.message.length} characters.`,
        );
        continue;
      }
      accepted++;
      demand(
        bytes.length <= limits.eventBytesMax,
        () => `An event of ${bytes.length} bytes came in.`,
      );
      demandEvent(this.#event);
      // Many events of one payload only repeat the first ones.
      if (accepted <= 20) this.#demandStored(this.#event);
    }
    return accepted > 0 ? 'accepted' : 'refused';
  }

  /** What the log gives back is what was taken. */
  #demandStored(event: IncomingEvent): void {
    this.#writer.addEvent(event, RECEIVED_AT_MS);
    this.#reader.load(this.#writer.finish());
    const wanted = writeJson(event.properties);
    const got = writeJson(this.#reader.propertiesOf(0));
    demand(got === wanted, () => `Stored ${wanted.slice(0, 200)}, read ${got.slice(0, 200)}.`);
    const userId = this.#reader.userIdOf(0);
    demand(userId === event.userId, () => `Stored ${event.userId}, read ${userId}.`);
  }
}

/** Everything that an accepted event promises, measured again by other means. */
export function demandEvent(event: IncomingEvent): void {
  const { userId, messageId, name, properties } = event;
  demand(
    userId !== '' && userId.length <= USER_ID_CHARS_MAX,
    () => `A user id of ${userId.length}.`,
  );
  demand(messageId.length <= MESSAGE_ID_CHARS_MAX, () => `A message id of ${messageId.length}.`);
  demand(name.length <= limits.nameCharsMax, () => `A name of ${name.length} characters.`);
  demand(Number.isFinite(event.eventAtMs), () => `An event time of ${event.eventAtMs}.`);
  for (const text of [userId, messageId, name]) {
    demand(isUtf8(Buffer.from(text)) && text.isWellFormed(), () => 'A text with a lone surrogate.');
  }
  const count = Object.keys(properties).length;
  // `anonymousId` may be put beside the traits.
  demand(count <= limits.propertiesMax + 1, () => `${count} properties.`);
  demandJson(properties, 1);
}

function demandJson(value: unknown, depth: number): void {
  if (typeof value === 'number') {
    const isExact = Number.isFinite(value) && exactNumber(value) === value;
    demand(isExact, () => `The number ${value}.`);
  } else if (typeof value === 'string') demand(value.isWellFormed(), () => 'A lone surrogate.');
  else if (typeof value === 'object' && value !== null) {
    demand(depth <= limits.nestingMax, () => `A nesting of ${depth}.`);
    const prototype = Object.getPrototypeOf(value) as unknown;
    const isPlain = prototype === Object.prototype || prototype === Array.prototype;
    demand(isPlain, () => 'An object with a prototype of its own.');
    for (const [key, child] of Object.entries(value)) {
      demand(key.length <= limits.nameCharsMax || Array.isArray(value), () => 'A long name.');
      demandJson(child, depth + 1);
    }
  } else if (typeof value === 'bigint') {
    demand(wholeNumber(value) === value, () => `The bigint ${value}.`);
  } else demand(typeof value === 'boolean' || value === null, () => `A ${typeof value}.`);
}

export const jsonPayloads: FuzzTarget = {
  name: 'payload-json',
  format: 'json',
  seeds: () => PAYLOAD_SEEDS,
  words: EVENT_WORDS,
  open: () => new PayloadRunner(),
};

export const ndjsonPayloads: FuzzTarget = {
  name: 'payload-ndjson',
  format: 'bytes',
  seeds: () => NDJSON_SEEDS,
  words: EVENT_WORDS,
  open: () => new PayloadRunner(),
};

export const msgpackPayloads: FuzzTarget = {
  name: 'payload-msgpack',
  format: 'msgpack',
  seeds: () => MSGPACK_SEEDS,
  words: EVENT_WORDS,
  open: () => new PayloadRunner(),
};
