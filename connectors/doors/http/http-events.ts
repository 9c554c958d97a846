import type { IncomingEvent } from '../../../engine/envelope/records.ts';
import type { Acknowledgement, Intake } from '../../../engine/intake/intake.ts';
import { checkEvent, type EventContext, emptyEvent } from '../../events/check-event.ts';
import { bomLength, type Payload } from '../../events/decode-payload.ts';
import type { EventLimits } from '../../events/event-limits.ts';
import { arrayElementSpans, memberValueStart } from '../../events/json-spans.ts';
import { Untranslatable } from '../../events/rejection.ts';
import type { Repairs } from '../../events/repairs.ts';
import type { DoorName, RejectedStore } from '../rejected.ts';

export interface RefusedEvent {
  /** Position in the batch, 0 for a single event. */
  readonly index: number;
  readonly code: string;
  readonly message: string;
}

export type EventsAt =
  | { readonly member: string }
  | { readonly payload: Pick<Payload, 'byteLengthOf' | 'bytesOf'> }
  | 'array'
  | 'body';

/** The events of one request, in the bytes of its body. */
export interface RequestEvents {
  readonly body: Buffer;
  /** In the form of the Segment spec; `Untranslatable` for what a door could make no event of. */
  readonly events: readonly unknown[];
  /**
   * Where the events stand in the body: a member of its object, its array, what a payload says that
   * was decoded from it, or the body is one.
   */
  readonly at: EventsAt;
  /** What the address says that each event is. */
  readonly type: string | undefined;
  readonly sentAt: unknown;
  /** Only checks: nothing is taken, kept or counted. @default false */
  readonly isDryRun?: boolean;
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
  readonly #door: DoorName;
  #idPrefix = '';

  /** @param repairs is added to */
  constructor(options: {
    readonly intake: Intake;
    readonly rejected: RejectedStore;
    readonly limits: EventLimits;
    readonly repairs: Repairs;
    /** @default 'http' */
    readonly door?: DoorName;
  }) {
    const { intake, rejected, limits, repairs, door = 'http' } = options;
    this.#door = door;
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
    const { events, isDryRun = false } = request;
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
      const event = events[index];
      const refusal =
        event instanceof Untranslatable ? event.rejection : checkEvent(event, context, this.#event);
      if (refusal !== undefined) {
        refused.push({ index, code: refusal.code, message: refusal.message });
        if (isDryRun) return;
        this.#rejected.add(this.#door, index, refusal, spans.bytesOf(index), receivedAtMs);
      } else if (!isDryRun) {
        onTaken?.(this.#event);
        this.#intake.add(this.#event, receivedAtMs, acknowledgement);
      }
    };
    // What a request says of users holds for its events already (E21). Users' records keep their
    // order otherwise, and between users there is none.
    if (request.at === 'body') takeOne(0);
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
    const { body, at } = this.#request;
    if (typeof at === 'object' && 'payload' in at) {
      return at.payload.byteLengthOf(index, this.#enough);
    }
    // No event of a body that small can be too large.
    if (at === 'body' || body.length <= this.#enough) return body.length;
    return this.bytesOf(index).length;
  }

  bytesOf(index: number): Uint8Array {
    const { body, at } = this.#request;
    if (at === 'body') return body;
    if (typeof at === 'object' && 'payload' in at) return at.payload.bytesOf(index);
    this.#spans ??= spansIn(body, at);
    const start = this.#spans[2 * index];
    return start === undefined ? body : body.subarray(start, this.#spans[2 * index + 1]);
  }
}

function spansIn(body: Buffer, at: { readonly member: string } | 'array'): number[] {
  const bom = bomLength(body);
  const start = at === 'array' ? bom : memberValueStart(body, bom, at.member);
  return start < 0 ? [] : arrayElementSpans(body, start);
}
