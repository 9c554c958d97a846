import type { Acknowledgement, Intake } from '../../../engine/intake/intake.ts';
import { checkEvent, type EventContext, emptyEvent } from '../../events/check-event.ts';
import { Payload } from '../../events/decode-payload.ts';
import { type EventLimits, MESSAGE_ID_CHARS_MAX } from '../../events/event-limits.ts';
import type { DoorCounters } from '../door-counters.ts';
import type { RejectedStore } from '../rejected.ts';

/** What is needed of a NATS message. Its headers are parsed when read, so they are read last. */
export interface EventMessage {
  readonly data: Uint8Array;
  readonly headers?: { get(name: string): string } | undefined;
}

/**
 * Decodes payloads, checks their events and adds them to the intake. Keeps nothing of a message:
 * one event, one payload and one context are filled again and again.
 */
export class PayloadIntake {
  readonly #intake: Intake;
  readonly #rejected: RejectedStore;
  readonly #counters: DoorCounters;
  readonly #payload: Payload;
  readonly #event = emptyEvent();
  readonly #context: EventContext;
  readonly #idPrefix: string;
  #message: EventMessage | undefined;
  #sequence = 0;

  /** @param idPrefix names the stream: `nats:<stream>@<created>` */
  constructor(options: {
    readonly intake: Intake;
    readonly rejected: RejectedStore;
    readonly counters: DoorCounters;
    readonly limits: EventLimits;
    readonly idPrefix: string;
  }) {
    this.#intake = options.intake;
    this.#rejected = options.rejected;
    this.#counters = options.counters;
    this.#idPrefix = options.idPrefix;
    const repairs = options.counters.repairsOf('nats');
    this.#payload = new Payload(repairs);
    this.#context = {
      repairs,
      limits: options.limits,
      receivedAtMs: 0,
      byteLength: 0,
      type: undefined,
      sentAt: undefined,
      index: 0,
      messageIdOf: (index) => this.#messageIdOf(index),
    };
  }

  /**
   * @param sequence of the message in its stream
   * @param receivedAtMs when the stream stored it, Unix ms
   * @throws LapseError what the intake was closed with
   */
  take(
    message: EventMessage,
    sequence: number,
    receivedAtMs: number,
    acknowledgement: Acknowledgement,
  ): void {
    const payload = this.#payload;
    const context = this.#context;
    this.#message = message;
    this.#sequence = sequence;
    context.receivedAtMs = receivedAtMs;
    payload.decode(message.data);
    const { values } = payload;
    let accepted = 0;
    for (let i = 0; i < values.length; i++) {
      context.index = i;
      context.byteLength = payload.byteLengthOf(i, context.limits.eventBytesMax);
      const refused = payload.refusalOf(i) ?? checkEvent(values[i], context, this.#event);
      if (refused === undefined) {
        this.#intake.add(this.#event, receivedAtMs, acknowledgement);
        accepted++;
      } else this.#rejected.add('nats', i, refused, payload.bytesOf(i), receivedAtMs);
    }
    this.#counters.accepted('nats', accepted);
  }

  /** The producer's own id of the message where it gave one (E7), else the message's place. */
  #messageIdOf(index: number): string {
    const given = this.#message?.headers?.get('Nats-Msg-Id') ?? '';
    if (given !== '' && given.length < MESSAGE_ID_CHARS_MAX - 8) {
      return this.#payload.values.length === 1 ? given : `${given}:${index}`;
    }
    return `${this.#idPrefix}:${this.#sequence}:${index}`;
  }
}
