import type { IncomingEvent } from '../../../engine/envelope/records.ts';
import type { Acknowledgement, Intake } from '../../../engine/intake/intake.ts';
import { checkEvent, type EventContext, emptyEvent } from '../../events/check-event.ts';
import { bomLength } from '../../events/decode-payload.ts';
import type { EventLimits } from '../../events/event-limits.ts';
import { arrayElementSpans, memberValueStart } from '../../events/json-spans.ts';
import type { Repairs } from '../../events/repairs.ts';
import type { RejectedStore } from '../rejected.ts';

export interface RefusedEvent {
  /** Position in the batch, 0 for a single event. */
  readonly index: number;
  readonly code: string;
  readonly message: string;
}

/** The events of one request, in the bytes of its body. */
export interface RequestEvents {
  readonly body: Buffer;
  readonly events: readonly unknown[];
  /** False for a call of one event, whose body is the event. */
  readonly isBatch: boolean;
  /** What the address says that each event is. */
  readonly type: string | undefined;
  readonly sentAt: unknown;
}

export interface TakeOptions {
  readonly requestId: string;
  readonly acknowledgement: Acknowledgement;
  readonly onTaken?: ((event: Readonly<IncomingEvent>) => void) | undefined;
}

/**
 * Checks the events of requests and adds the good ones to the intake. One serves all requests: it
 * works through each without a pause, so that its one event object is never shared.
 */
export class RequestIntake {
  readonly #intake: Intake;
  readonly #rejected: RejectedStore;
  readonly #event = emptyEvent();
  readonly #context: EventContext;
  readonly #limits: EventLimits;
  #idPrefix = '';

  /** @param repairs is added to */
  constructor(options: {
    readonly intake: Intake;
    readonly rejected: RejectedStore;
    readonly limits: EventLimits;
    readonly repairs: Repairs;
  }) {
    const { intake, rejected, limits, repairs } = options;
    this.#intake = intake;
    this.#rejected = rejected;
    this.#limits = limits;
    this.#context = {
      repairs,
      limits,
      receivedAtMs: 0,
      byteLength: 0,
      type: undefined,
      sentAt: undefined,
      index: 0,
      messageIdOf: (index) => `${this.#idPrefix}:${index}`,
    };
  }

  /**
   * @param requestId unique; names the events that bring no messageId
   * @param onTaken called with each good event before it is handed over; the object is used again
   * @returns the refused ones in order of their index
   * @throws LapseError what the intake was closed with
   */
  take(
    request: RequestEvents,
    receivedAtMs: number,
    { requestId, acknowledgement, onTaken }: TakeOptions,
  ): RefusedEvent[] {
    const { events } = request;
    const context = this.#context;
    const refused: RefusedEvent[] = [];
    const spans = new Spans(request, this.#limits.eventBytesMax);
    this.#idPrefix = requestId;
    context.receivedAtMs = receivedAtMs;
    context.type = request.type;
    context.sentAt = request.sentAt;
    const takeOne = (index: number) => {
      context.index = index;
      context.byteLength = spans.byteLengthOf(index);
      const refusal = checkEvent(events[index], context, this.#event);
      if (refusal === undefined) {
        onTaken?.(this.#event);
        this.#intake.add(this.#event, receivedAtMs, acknowledgement);
      } else {
        refused.push({ index, code: refusal.code, message: refusal.message });
        this.#rejected.add('http', index, refusal, spans.bytesOf(index), receivedAtMs);
      }
    };
    // What a request says of users holds for its events already (E21). Users' records keep their
    // order otherwise, and between users there is none.
    if (!request.isBatch) takeOne(0);
    else {
      for (let i = 0; i < events.length; i++) if (isIdentify(events[i])) takeOne(i);
      for (let i = 0; i < events.length; i++) if (!isIdentify(events[i])) takeOne(i);
    }
    return refused.sort((a, b) => a.index - b.index);
  }
}

function isIdentify(event: unknown): boolean {
  return (
    typeof event === 'object' && event !== null && 'type' in event && event.type === 'identify'
  );
}

/** Where each event stands in the body; found only when an event is refused or may be too large. */
class Spans {
  readonly #request: RequestEvents;
  readonly #enough: number;
  #spans: number[] | undefined;

  constructor(request: RequestEvents, enough: number) {
    this.#request = request;
    this.#enough = enough;
  }

  byteLengthOf(index: number): number {
    const { body, isBatch } = this.#request;
    // No event of a body that small can be too large.
    if (!isBatch || body.length <= this.#enough) return body.length;
    return this.bytesOf(index).length;
  }

  bytesOf(index: number): Uint8Array {
    const { body, isBatch } = this.#request;
    if (!isBatch) return body;
    this.#spans ??= spansOfBatch(body);
    const start = this.#spans[2 * index];
    return start === undefined ? body : body.subarray(start, this.#spans[2 * index + 1]);
  }
}

function spansOfBatch(body: Buffer): number[] {
  const start = memberValueStart(body, bomLength(body), 'batch');
  return start < 0 ? [] : arrayElementSpans(body, start);
}
