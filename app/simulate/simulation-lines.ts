import type { EventLine } from '../../connectors/doors/file/event-lines.ts';
import { checkEvent, type EventContext, emptyEvent } from '../../connectors/events/check-event.ts';
import { Payload } from '../../connectors/events/decode-payload.ts';
import type { EventLimits } from '../../connectors/events/event-limits.ts';
import { describe } from '../../connectors/events/rejection.ts';
import { noRepairs } from '../../connectors/events/repairs.ts';
import type { IncomingEvent } from '../../engine/envelope/records.ts';
import { instantOf } from '../../engine/time/duration.ts';

/** What one line of the events file says. */
export type SimulationLine =
  | { readonly kind: 'event'; readonly event: IncomingEvent; readonly atMs: number }
  | {
      readonly kind: 'control';
      readonly control: string;
      readonly campaign: string;
      readonly atMs: number;
    }
  | { readonly kind: 'apply'; readonly config: unknown; readonly atMs: number }
  | {
      readonly kind: 'rejected';
      readonly code: string;
      readonly message: string;
      /** Time of its receipt, Unix ms; undefined when the line does not say it. */
      readonly atMs?: number;
    };

/**
 * Reads the lines of a simulation's events in order of receipt. The event given is one and the
 * same object again and again.
 */
export class SimulationLines {
  /** What was changed in lines that could be read. */
  readonly repairs = noRepairs();
  readonly #payload = new Payload(this.repairs);
  readonly #event = emptyEvent();
  readonly #context: EventContext;
  #lastAtMs: number | undefined;

  constructor(limits: EventLimits) {
    this.#context = {
      repairs: this.repairs,
      limits,
      receivedAtMs: 0,
      byteLength: 0,
      type: undefined,
      sentAt: undefined,
      index: 0,
      messageIdOf: (lineNumber) => `line:${lineNumber}`,
    };
  }

  /** Time of receipt of the line before; undefined before the first that says it. Unix ms. */
  get lastAtMs(): number | undefined {
    return this.#lastAtMs;
  }

  read(line: EventLine): SimulationLine {
    if (line.refused !== undefined) return { kind: 'rejected', ...line.refused };
    this.#payload.decode(line.bytes);
    const refusal = this.#payload.refusalOf(0);
    if (refusal !== undefined) return { kind: 'rejected', ...refusal };
    const value = this.#payload.values[0];
    if (this.#payload.values.length !== 1 || typeof value !== 'object' || value === null) {
      return rejected('ERR_EVENT_SHAPE', `A line must be one JSON object, got ${describe(value)}.`);
    }
    const raw = value as Record<string, unknown>;
    const atMs = this.#receiptOf(raw);
    if (Number.isNaN(atMs)) {
      return rejected(
        'ERR_EVENT_TIME',
        `receivedAt must be an ISO 8601 instant with a zone, got ${describe(raw.receivedAt)}.`,
      );
    }
    this.#lastAtMs = atMs;
    if ('control' in raw) return this.#control(raw, atMs);
    this.#context.receivedAtMs = atMs;
    this.#context.byteLength = line.bytes.length;
    this.#context.index = line.lineNumber;
    const problem = checkEvent(raw, this.#context, this.#event);
    if (problem !== undefined) return { kind: 'rejected', atMs, ...problem };
    return { kind: 'event', event: this.#event, atMs };
  }

  #control(raw: Record<string, unknown>, atMs: number): SimulationLine {
    const { control, campaign, config } = raw;
    if (control === 'apply') {
      this.#lastAtMs = atMs;
      return { kind: 'apply', config, atMs };
    }
    if (typeof control !== 'string' || typeof campaign !== 'string') {
      const message = `A control line must have a control and a campaign, got ${describe(control)} and ${describe(campaign)}.`;
      return { ...rejected('ERR_CONTROL', message), atMs };
    }
    return { kind: 'control', control, campaign, atMs };
  }

  /** `receivedAt`, else the event's own time; never before the line before. NaN when it is bad. */
  #receiptOf(raw: Record<string, unknown>): number {
    const before = this.#lastAtMs ?? Number.NEGATIVE_INFINITY;
    const { receivedAt, timestamp } = raw;
    if (receivedAt !== undefined && receivedAt !== null) {
      return Math.max(before, typeof receivedAt === 'string' ? instantOf(receivedAt) : Number.NaN);
    }
    const eventAtMs = typeof timestamp === 'string' ? instantOf(timestamp) : Number.NaN;
    if (Number.isNaN(eventAtMs)) return Number.isFinite(before) ? before : 0;
    return Math.max(before, eventAtMs);
  }
}

function rejected(code: string, message: string): SimulationLine & { kind: 'rejected' } {
  return { kind: 'rejected', code, message };
}
