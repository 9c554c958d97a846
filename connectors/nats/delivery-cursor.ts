/**
 * Where a message stands, read by hand from the subject that JetStream wants its acknowledgement
 * on. The client's own parser splits the whole of it and makes objects for every message.
 *
 *   $JS.ACK.<stream>.<consumer>.<times>.<stream seq>.<consumer seq>.<nanoseconds>.<pending>
 *   $JS.ACK.<domain>.<account>.<stream>.<consumer>. and the same numbers .<random>
 */
const [DOT, ZERO] = [0x2e, 0x30];
/** Unix ms have 13 digits until 2286; the other six are nanoseconds. */
const STAMP_MS_DIGITS = 13;

/** One for each consumer. */
export class DeliveryCursor {
  streamSequence = 0;
  /** Counts 1, 2, 3… what the consumer was given. */
  consumerSequence = 0;
  /** When the stream stored it, Unix ms of the server's clock. */
  storedAtMs = 0;
  /** How many more the consumer has to come, as of when this one left. */
  pending = 0;
  #at = 0;
  /** Length of all before the numbers; the same for all messages of a consumer. */
  #prefixLength = 0;

  /** @returns false when the subject is not one of JetStream's */
  read(reply: string): boolean {
    if (this.#prefixLength === 0) this.#prefixLength = prefixLengthOf(reply);
    if (this.#prefixLength === 0) return false;
    this.#at = this.#prefixLength;
    this.#number(reply);
    this.streamSequence = this.#number(reply);
    this.consumerSequence = this.#number(reply);
    const stampAt = this.#at;
    let stampMs = 0;
    for (let i = stampAt; i < stampAt + STAMP_MS_DIGITS; i++) {
      stampMs = stampMs * 10 + reply.charCodeAt(i) - ZERO;
    }
    this.storedAtMs = stampMs;
    this.#at = reply.indexOf('.', stampAt) + 1;
    this.pending = this.#number(reply);
    return this.streamSequence > 0;
  }

  #number(reply: string): number {
    let value = 0;
    let i = this.#at;
    for (; i < reply.length; i++) {
      const code = reply.charCodeAt(i);
      if (code === DOT) break;
      value = value * 10 + code - ZERO;
    }
    this.#at = i + 1;
    return value;
  }
}

function prefixLengthOf(reply: string): number {
  if (!reply.startsWith('$JS.ACK.')) return 0;
  const tokens = reply.split('.');
  if (tokens.length !== 9 && tokens.length < 11) return 0;
  const before = tokens.slice(0, tokens.length === 9 ? 4 : 6);
  return before.join('.').length + 1;
}
