import type { Scheduler } from './scheduler.ts';
import type { WallClock } from './simulated-clock.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { type PlannedEvent, type Workload, wireEvent } from './workload.ts';

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
    readonly faults: ProducerFaults;
  }) {
    this.#scheduler = options.scheduler;
    this.#wall = options.wall;
    this.#front = options.front;
    this.faults = options.faults;
  }

  plan(startMs: number, { requests, roundMs }: Pick<Workload, 'requests' | 'roundMs'>): void {
    for (const request of requests) {
      this.waiting++;
      this.#scheduler.at(startMs + request[0]!.atMs, undefined, () => {
        const nowMs = this.#wall.now();
        const happened = request.map(
          ({ ageMs }) => Math.floor((nowMs - (ageMs ?? 0)) / roundMs) * roundMs,
        );
        this.#send(request, happened);
      });
    }
  }

  #send(request: readonly PlannedEvent[], happened: readonly number[]): void {
    const scheduler = this.#scheduler;
    const { prng } = scheduler;
    const again = () => {
      scheduler.after(50 + prng.next() * BACKOFF_MS_MAX, undefined, () =>
        this.#send(request, happened),
      );
    };
    const process = this.#front();
    if (process === undefined || prng.chance(this.faults.lost)) {
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
    const wire = request.map((event, i) =>
      wireEvent(event, { happenedAtMs: happened[i]!, sentAtMs }),
    );
    scheduler.after(scheduler.delayMs(0.05, this.faults.slowMs), process.life, () => {
      const isBatch = request.length > 1;
      this.#remember(request, { happened, sentAtMs, receivedAtMs: process.clock.now() });
      process.take(wire, isBatch).then(
        ({ status, rejected }) => {
          if (prng.chance(this.faults.lost)) return;
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
    at: { happened: readonly number[]; sentAtMs: number; receivedAtMs: number },
  ): void {
    const { happened, sentAtMs, receivedAtMs } = at;
    for (const [i, event] of request.entries()) {
      const id = event.facts.id as string | undefined;
      if (id === undefined) continue;
      const tries = this.tries.get(id) ?? [];
      this.tries.set(id, tries);
      tries.push({ event, receivedAtMs, happenedAtMs: happened[i]!, sentAtMs });
    }
  }

  #done(request: readonly PlannedEvent[], rejected: readonly number[]): void {
    this.waiting--;
    for (const [i, event] of request.entries()) {
      const isBad = event.type === 'nonsense';
      if (isBad !== rejected.includes(i)) {
        this.problems.push(`a door ${isBad ? 'took' : 'refused'} ${JSON.stringify(event)}`);
      }
      if (!isBad) this.acknowledged.add(event.facts.id as string);
    }
  }
}
