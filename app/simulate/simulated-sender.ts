import type { SenderAttempt } from '../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../engine/sender/transport.ts';
import type { Delivery } from '../../operators/delivery/delivery.ts';
import { Lane } from '../../operators/delivery/lane.ts';
import type { LaneDefinitions } from '../../operators/delivery/lane-campaigns.ts';
import type { LaneRecord } from '../../operators/delivery/lane-records.ts';
import type { ScriptedReceiver } from './scripted-receiver.ts';

/** Told of what the lanes do, in order of time. */
export interface SimulatedSenderListener {
  attempt(webhookId: string, attempt: SenderAttempt, result: TransportResult): void;
  record(record: LaneRecord): void;
}

interface Flight {
  readonly lane: SimulatedLane;
  readonly attempt: SenderAttempt;
  readonly result: TransportResult;
  readonly doneAtMs: number;
  /** Answers that come together are told in the order of their attempts. */
  readonly number: number;
}

interface SimulatedLane {
  readonly webhookId: string;
  readonly lane: Lane;
  offset: number;
}

/** The lanes of a simulation: the very logic of `serve`, on a simulated clock and a scripted receiver. */
export class SimulatedSender {
  readonly #lanes: SimulatedLane[] = [];
  readonly #receiver: ScriptedReceiver;
  readonly #listener: SimulatedSenderListener;
  readonly #userAgent: string;
  #flights: Flight[] = [];
  #flightNumber = 0;

  constructor(options: {
    readonly receiver: ScriptedReceiver;
    readonly listener: SimulatedSenderListener;
    readonly userAgent: string;
  }) {
    this.#receiver = options.receiver;
    this.#listener = options.listener;
    this.#userAgent = options.userAgent;
  }

  /** Makes the lanes those of the definitions, by webhook; none is taken away. */
  update(definitions: ReadonlyMap<string, LaneDefinitions>, nowMs: number): void {
    const userAgent = this.#userAgent;
    for (const [webhookId, definition] of definitions) {
      const known = this.#lanes.find((lane) => lane.webhookId === webhookId);
      if (known === undefined) {
        const options = { ...definition, userAgent, deliveriesMax: Number.MAX_SAFE_INTEGER };
        this.#lanes.push({ webhookId, lane: new Lane(options), offset: 0 });
      } else {
        known.lane.update(definition, nowMs);
        this.#tell(known);
      }
    }
  }

  /** Campaigns that have delivered all that their caps allow; each is named once. */
  takeCompleted(): string[] {
    return this.#lanes.flatMap(({ lane }) => lane.takeCompleted());
  }

  offer(webhookId: string, deliveries: readonly Delivery[], nowMs: number): void {
    const entry = this.#lanes.find((lane) => lane.webhookId === webhookId)!;
    entry.lane.offer(++entry.offset, deliveries, nowMs);
    // What the lane refuses, it refuses at this instant.
    this.#tell(entry);
  }

  get pendingCount(): number {
    return this.#lanes.reduce((sum, { lane }) => sum + lane.pendingCount, 0);
  }

  /** When something is to be done next, Unix ms; Infinity when nothing is. */
  nextAtMs(nowMs: number): number {
    let atMs = Infinity;
    for (const { lane } of this.#lanes) atMs = Math.min(atMs, lane.nextWakeAtMs(nowMs) ?? Infinity);
    for (const flight of this.#flights) atMs = Math.min(atMs, flight.doneAtMs);
    return atMs;
  }

  /** Does everything that is to be done at `nowMs`. */
  run(nowMs: number): void {
    let isBusy = true;
    while (isBusy) {
      isBusy = this.#land(nowMs);
      for (const entry of this.#lanes) isBusy = this.#send(entry, nowMs) || isBusy;
    }
  }

  #land(nowMs: number): boolean {
    const landed = this.#flights.filter((flight) => flight.doneAtMs <= nowMs);
    if (landed.length === 0) return false;
    this.#flights = this.#flights.filter((flight) => flight.doneAtMs > nowMs);
    landed.sort((a, b) => a.doneAtMs - b.doneAtMs || a.number - b.number);
    for (const { lane, attempt, result } of landed) {
      lane.lane.onResult(attempt, result, nowMs);
      this.#tell(lane);
    }
    return true;
  }

  #send(entry: SimulatedLane, nowMs: number): boolean {
    let hasSent = false;
    for (;;) {
      const attempt = entry.lane.poll(nowMs);
      const hasMore = this.#tell(entry);
      if (attempt === undefined) {
        // What became durable just now may be ready to go.
        if (!hasMore) return hasSent;
        hasSent = true;
        continue;
      }
      hasSent = true;
      const { result, afterMs } = this.#receiver.answer(entry.webhookId, attempt);
      this.#listener.attempt(entry.webhookId, attempt, result);
      const doneAtMs = nowMs + afterMs;
      const number = this.#flightNumber++;
      this.#flights.push({ lane: entry, attempt, result, doneAtMs, number });
    }
  }

  /** @returns true when there was something to store */
  #tell({ lane }: SimulatedLane): boolean {
    const records = lane.takeRecords();
    for (const record of records) this.#listener.record(record);
    if (records.length > 0) lane.onDurable();
    return records.length > 0;
  }
}
