import type { Prng } from '../support/prng.ts';
import type { ProducerFaults } from './producer.ts';
import type { DiskFaults } from './simulated-disk.ts';
import type { LogFaults } from './simulated-log.ts';
import type { ReceiverFaults } from './simulated-receivers.ts';

/** When a process may die: its checkpoint is written, or has its name; the log has stored; it has sent. */
export type Moment = 'checkpoint' | 'write' | 'stored' | 'request';

export type Place = 'log' | 'disk' | 'events';

/** Something that is done to the system at an instant, ms after the start. */
export type Blow = { readonly atMs: number } & (
  | { readonly kind: 'crash'; readonly losesPower: boolean; readonly steps: number }
  /** The process dies at the next such moment, or some later. */
  | {
      readonly kind: 'trap';
      readonly moment: Moment;
      readonly skip: number;
      readonly losesPower: boolean;
    }
  /** The process is told to stop, and gets so long. */
  | { readonly kind: 'stop'; readonly patienceMs: number }
  /** Another one takes over while this one goes on for a while. */
  | { readonly kind: 'zombie'; readonly livesOnMs: number }
  | { readonly kind: 'clock'; readonly byMs: number }
  | { readonly kind: 'leader'; readonly awayMs: number }
  | { readonly kind: 'events'; readonly awayMs: number }
  /** For so long much more of it fails: a start among faults all the time would never end. */
  | {
      readonly kind: 'trouble';
      readonly where: Place;
      readonly share: number;
      readonly forMs: number;
    }
  | { readonly kind: 'receiver'; readonly webhook: number; readonly deadMs: number }
);

export interface FaultPlan {
  readonly log: LogFaults;
  /** Of the way to the server that NATS events come from. */
  readonly events: LogFaults;
  readonly disk: DiskFaults;
  readonly producer: ProducerFaults;
  readonly receivers: readonly ReceiverFaults[];
  readonly blows: readonly Blow[];
  /** Share of starts before which the newest checkpoint of a partition is damaged. */
  readonly damaged: number;
}

export const NO_LOG_FAULTS: LogFaults = {
  slowMs: 1,
  lostRequests: 0,
  lostAnswers: 0,
  reorders: false,
  awayUntilMs: 0,
};
export const NO_DISK_FAULTS: DiskFaults = { slowMs: 1, failing: 0 };
export const NO_RECEIVER_FAULTS: ReceiverFaults = {
  late: 0,
  hanging: 0,
  reset: 0,
  failing: 0,
  busy: 0,
  refusing: 0,
  slowMs: 5,
};

interface BlowsPlan {
  readonly spanMs: number;
  readonly webhooks: number;
  readonly hasZombies: boolean;
  /** The log takes hardly anything, again and again, and one process on one clock tells of it. */
  readonly isStormy: boolean;
}

/** Each kind of fault is there in some runs only, so that they also meet alone. */
export function drawFaults(prng: Prng, { webhooks, ...plan }: BlowsPlan): FaultPlan {
  const share = (chance: number, most: number) => (prng.chance(chance) ? prng.next() * most : 0);
  return {
    log: {
      slowMs: prng.pick([1, 5, 50, 400]),
      lostRequests: share(0.3, 0.06),
      lostAnswers: share(0.4, 0.1),
      reorders: prng.chance(0.3),
      awayUntilMs: 0,
    },
    events: {
      slowMs: prng.pick([1, 5, 50, 400]),
      lostRequests: share(0.3, 0.06),
      lostAnswers: share(0.4, 0.1),
      reorders: prng.chance(0.3),
      awayUntilMs: 0,
    },
    disk: { slowMs: prng.pick([1, 10, 300]), failing: share(0.3, 0.04) },
    producer: { lost: share(0.4, 0.2), slowMs: prng.pick([1, 20, 500]) },
    receivers: Array.from({ length: webhooks }, () => ({
      late: share(0.3, 0.5),
      hanging: share(0.3, 0.4),
      reset: share(0.3, 0.5),
      failing: share(0.4, 0.5),
      busy: share(0.3, 0.5),
      refusing: share(0.2, 0.3),
      slowMs: prng.pick([2, 50, 900]),
    })),
    blows: drawBlows(prng, { webhooks, ...plan }),
    damaged: share(0.4, 1),
  };
}

function drawBlows(prng: Prng, { spanMs, webhooks, hasZombies, isStormy }: BlowsPlan): Blow[] {
  const blows: Blow[] = [];
  const some = (chance: number, most: number, draw: (atMs: number) => Blow) => {
    if (!prng.chance(chance)) return;
    const count = 1 + prng.below(most);
    for (let i = 0; i < count; i++) blows.push(draw(prng.below(spanMs + 1)));
  };
  some(isStormy ? 0.1 : 0.7, 5, (atMs) => ({
    kind: 'crash',
    atMs,
    losesPower: prng.chance(0.4),
    steps: prng.below(40),
  }));
  some(0.4, 4, (atMs) => {
    const moment = prng.pick<Moment>(['checkpoint', 'write', 'stored', 'request']);
    const skip = prng.below(moment === 'stored' ? 8 : 2);
    return { kind: 'trap', atMs, moment, skip, losesPower: prng.chance(0.4) };
  });
  some(0.25, 2, (atMs) => ({ kind: 'stop', atMs, patienceMs: prng.pick([0, 50, 1_000, 60_000]) }));
  if (hasZombies && !isStormy) {
    some(0.3, 2, (atMs) => ({ kind: 'zombie', atMs, livesOnMs: prng.below(8_000) }));
  }
  some(0.4, 4, (atMs) => ({
    kind: 'trouble',
    atMs,
    where: prng.pick<Place>(['log', 'log', 'disk', 'events']),
    share: 0.05 + prng.next() * 0.45,
    forMs: prng.below(5_000),
  }));
  if (isStormy) {
    some(1, 9, (atMs) => ({
      kind: 'trouble',
      atMs,
      where: 'log',
      share: 0.6 + prng.next() * 0.4,
      forMs: prng.below(5_000),
    }));
  }
  some(isStormy ? 0 : 0.2, 3, (atMs) => ({
    kind: 'clock',
    atMs,
    byMs: (prng.chance(0.5) ? 1 : -1) * prng.below(2 ** (4 + prng.below(14))),
  }));
  some(0.3, 3, (atMs) => ({ kind: 'leader', atMs, awayMs: prng.below(2 ** (3 + prng.below(11))) }));
  some(0.3, 3, (atMs) => ({ kind: 'events', atMs, awayMs: prng.below(2 ** (3 + prng.below(12))) }));
  some(0.3, 2, (atMs) => ({
    kind: 'receiver',
    atMs,
    webhook: prng.below(webhooks),
    deadMs: prng.below(20_000),
  }));
  return blows.sort((a, b) => a.atMs - b.atMs);
}
