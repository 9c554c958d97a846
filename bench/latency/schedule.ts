/** What happens when, decided beforehand from a seed: nothing that comes back changes it. */

import { Prng } from '../../tests/support/prng.ts';
import { userIdOf } from '../workload/shop.ts';

export interface ScheduleOptions {
  readonly seed: number;
  /** Events a second, all told. */
  readonly rate: number;
  /** Windows a second that run out. */
  readonly deadlines: number;
  /** Events a second that a campaign answers at once. */
  readonly actions: number;
  readonly withinMs: number;
  readonly durationMs: number;
  readonly users: number;
}

/** Events in order of time; parallel lists. */
export interface Schedule {
  /** Ms after the start, whole. */
  readonly atMs: readonly number[];
  readonly names: readonly string[];
  readonly users: readonly string[];
  /** Users whose webhook is owed, with the instant from which its latency counts. */
  readonly deadlineOf: ReadonlyMap<string, number>;
  readonly actionOf: ReadonlyMap<string, number>;
}

export const DID = 'Checkout Started';
export const WITHOUT = 'Order Completed';
export const ACT = 'Subscription Cancelled';
const OTHER = 'Product Viewed';
/** Of the windows that open: cancelled before they run out, and so never heard of. */
const CANCELLED_SHARE = 0.2;
/** A cancelling event comes from this share of the window on, and as much before its end. */
export const CANCEL_AFTER_SHARE = 0.2;

interface Planned {
  readonly atMs: number;
  readonly name: string;
  readonly user: string;
}

/** Poisson arrivals: the gaps are exponential, so that events come in bunches as they do. */
export function scheduleOf(options: ScheduleOptions): Schedule {
  const { rate, deadlines, actions, withinMs, durationMs } = options;
  const prng = new Prng(options.seed);
  const planned: Planned[] = [];
  const deadlineOf = new Map<string, number>();
  const actionOf = new Map<string, number>();
  const openShare = deadlines / (1 - CANCELLED_SHARE) / rate;
  const actionShare = actions / rate;
  let exactMs = 0;
  for (let number = 0; ; number++) {
    exactMs += (-Math.log(1 - prng.next()) * 1000) / rate;
    if (exactMs >= durationMs) break;
    const atMs = Math.floor(exactMs);
    const kind = prng.next();
    if (kind < openShare) {
      const user = `open-${number}`;
      planned.push({ atMs, name: DID, user });
      if (prng.chance(CANCELLED_SHARE)) {
        const cancelAtMs =
          atMs +
          Math.floor(withinMs * (CANCEL_AFTER_SHARE + (1 - 2 * CANCEL_AFTER_SHARE) * prng.next()));
        planned.push({ atMs: cancelAtMs, name: WITHOUT, user });
      } else deadlineOf.set(user, atMs + withinMs);
    } else if (kind < openShare + actionShare) {
      const user = `act-${number}`;
      planned.push({ atMs, name: ACT, user });
      actionOf.set(user, atMs);
    } else planned.push({ atMs, name: OTHER, user: userIdOf(prng.below(options.users)) });
  }
  planned.sort((a, b) => a.atMs - b.atMs);
  return {
    atMs: planned.map((one) => one.atMs),
    names: planned.map((one) => one.name),
    users: planned.map((one) => one.user),
    deadlineOf,
    actionOf,
  };
}
