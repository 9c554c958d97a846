import type { EventServer } from './event-server.ts';
import type { Scheduler } from './scheduler.ts';
import type { WallClock } from './simulated-clock.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { wireEvent } from './wire.ts';
import type { PlannedEvent, Workload } from './workload.ts';

export interface ProducerFaults {
  /** Share of requests and of answers that get lost between producer and door. */
  lost: number;
  /** Longest way, ms. */
  slowMs: number;
}

/** One time that an event reached a door. */
export interface Try {
  readonly event: PlannedEvent;
  readonly receivedAtMs: number;
  readonly happenedAtMs: number;
  readonly sentAtMs: number;
  /** By way of NATS: the receipt is its stream's. */
  readonly isPublished: boolean;
}

const BACKOFF_MS_MAX = 1_500;

/**
 * What an SDK does: keeps every request, with the ids of its events, until a door has acknowledged
 * it; then it forgets it, for good.
 */
export class Producer {
  readonly #scheduler: Scheduler;
  readonly #wall: WallClock;
  readonly #front: () => SimulatedProcess | undefined;
  readonly #events: EventServer | undefined;
  readonly #publishedShare: number;
  readonly faults: ProducerFaults;
  /** Acknowledged events by the id in their facts. */
  readonly acknowledged = new Set<string>();
  readonly tries = new Map<string, Try[]>();
  readonly problems: string[] = [];
  /** Requests not acknowledged yet. */
  waiting = 0;

  constructor(options: {
    readonly scheduler: Scheduler;
    readonly wall: WallClock;
    readonly front: () => SimulatedProcess | undefined;
    /** Takes a share of the requests as messages. */
    readonly events: EventServer | undefined;
    readonly publishedShare: number;
    readonly faults: ProducerFaults;
  }) {
    this.#scheduler = options.scheduler;
    this.#wall = options.wall;
    this.#front = options.front;
    this.#events = options.events;
    this.#publishedShare = options.publishedShare;
    this.faults = options.faults;
  }

  plan(startMs: number, { requests, roundMs }: Pick<Workload, 'requests' | 'roundMs'>): void {
    for (const request of requests) {
      this.waiting++;
      const isPublished = this.#scheduler.prng.chance(this.#publishedShare);
      const events = isPublished ? this.#events : undefined;
      this.#scheduler.at(startMs + request[0]!.atMs, undefined, () => {
        const nowMs = this.#wall.now();
        const happened = request.map(
          ({ ageMs }) => Math.floor((nowMs - (ageMs ?? 0)) / roundMs) * roundMs,
        );
        if (events === undefined) this.#send(request, happened);
        else this.#publish(events, request, happened);
      });
    }
  }

  /** By way of NATS: what its stream has acknowledged is safe, whatever becomes of our processes. */
  #publish(
    events: EventServer,
    request: readonly PlannedEvent[],
    happened: readonly number[],
  ): void {
    const scheduler = this.#scheduler;
    const { prng, coverage } = scheduler;
    const again = () => {
      scheduler.after(50 + prng.next() * BACKOFF_MS_MAX, undefined, () =>
        this.#publish(events, request, happened),
      );
    };
    const sentAtMs = this.#wall.now();
    const wire = wireRequest(request, happened, sentAtMs);
    const isLost = prng.chance(this.faults.lost);
    scheduler.after(scheduler.delayMs(0.05, this.faults.slowMs), undefined, () => {
      const receivedAtMs = isLost ? undefined : events.publish(wire.length === 1 ? wire[0] : wire);
      if (receivedAtMs === undefined) return again();
      coverage.met('message published to NATS');
      this.#remember(request, { happened, sentAtMs, receivedAtMs, isPublished: true });
      if (prng.chance(this.faults.lost)) return again();
      // It does not say what it thinks of an event.
      const refused = request.flatMap(({ type }, i) => (type === 'nonsense' ? [i] : []));
      scheduler.after(scheduler.delayMs(0.05, this.faults.slowMs), undefined, () =>
        this.#done(request, refused),
      );
    });
  }

  #send(request: readonly PlannedEvent[], happened: readonly number[]): void {
    const scheduler = this.#scheduler;
    const { prng, coverage } = scheduler;
    const again = () => {
      scheduler.after(50 + prng.next() * BACKOFF_MS_MAX, undefined, () =>
        this.#send(request, happened),
      );
    };
    const process = this.#front();
    if (process === undefined) {
      again();
      return;
    }
    if (prng.chance(this.faults.lost)) {
      coverage.met('request to a door lost');
      again();
      return;
    }
    // A connection that dies with the process says so; one that says nothing times out.
    let isSettled = false;
    const settle = (next: () => void) => {
      if (isSettled) return;
      isSettled = true;
      next();
    };
    process.life.onEnd.push(() => settle(again));
    scheduler.after(5_000, undefined, () => settle(again));
    const sentAtMs = this.#wall.now();
    const wire = wireRequest(request, happened, sentAtMs);
    scheduler.after(scheduler.delayMs(0.05, this.faults.slowMs), process.life, () => {
      const isBatch = request.length > 1;
      const receivedAtMs = process.clock.now();
      this.#remember(request, { happened, sentAtMs, receivedAtMs, isPublished: false });
      process.take(wire, isBatch).then(
        ({ status, rejected }) => {
          if (status === 503) coverage.met('door said 503');
          if (status === 429) coverage.met('door said 429');
          if (prng.chance(this.faults.lost)) {
            coverage.met('answer of a door lost');
            return;
          }
          scheduler.after(scheduler.delayMs(0.05, this.faults.slowMs), undefined, () =>
            settle(() => (status === 200 ? this.#done(request, rejected!) : again())),
          );
        },
        (error: unknown) => this.problems.push(`the door threw ${String(error)}`),
      );
    });
  }

  #remember(
    request: readonly PlannedEvent[],
    at: Omit<Try, 'event' | 'happenedAtMs'> & { readonly happened: readonly number[] },
  ): void {
    const { happened, ...rest } = at;
    for (const [i, event] of request.entries()) {
      const id = event.facts.id as string | undefined;
      if (id === undefined) continue;
      const tries = this.tries.get(id) ?? [];
      this.tries.set(id, tries);
      if (tries.length > 0) this.#scheduler.coverage.met('event sent again');
      tries.push({ event, happenedAtMs: happened[i]!, ...rest });
    }
  }

  #done(request: readonly PlannedEvent[], rejected: readonly number[]): void {
    const { coverage } = this.#scheduler;
    this.waiting--;
    for (const [i, event] of request.entries()) {
      const isBad = event.type === 'nonsense';
      if (isBad) coverage.met('event refused');
      if (event.type === 'alias') coverage.met('join by alias');
      if (isBad !== rejected.includes(i)) {
        this.problems.push(`a door ${isBad ? 'took' : 'refused'} ${JSON.stringify(event)}`);
      }
      if (!isBad) this.acknowledged.add(event.facts.id as string);
    }
  }
}

function wireRequest(
  request: readonly PlannedEvent[],
  happened: readonly number[],
  sentAtMs: number,
): Record<string, unknown>[] {
  return request.map((event, i) => wireEvent(event, { happenedAtMs: happened[i]!, sentAtMs }));
}
