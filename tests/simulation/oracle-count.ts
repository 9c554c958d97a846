/** `count` by hand, of events and of a sum (SPEC 2.1): every window that an event may complete. */
import type { JudgedEvent, OrderModel } from './oracle-in-order.ts';
import type { CountConfig } from './workload.ts';

/** What no window has used up, in order of event time. */
type Unused = readonly JudgedEvent[];

export function countModel(rule: CountConfig): OrderModel<Unused> {
  return {
    none: [],
    take: (before, event) => {
      const place = before.findLastIndex(({ atMs }) => atMs <= event.atMs) + 1;
      const all = before.toSpliced(place, 0, event);
      const used = windowWith(event, all, rule);
      const isMet = used !== undefined;
      return {
        after: isMet ? all.filter((one) => !used.includes(one)) : reachable(all, rule),
        isMet,
      };
    },
    join: (mine, theirs) =>
      [...mine.filter(({ id }) => !theirs.some((other) => other.id === id)), ...theirs].sort(
        (a, b) => a.atMs - b.atMs,
      ),
  };
}

/** The window that ends first, of those that hold the event and enough. */
function windowWith(event: JudgedEvent, all: Unused, rule: CountConfig): Unused | undefined {
  const { atLeast, sum, withinMs } = rule;
  const windows = all.map((last, end) => {
    const within = all.slice(0, end + 1).filter(({ atMs }) => last.atMs - atMs <= withinMs);
    return atLeast === undefined ? within : within.slice(-atLeast);
  });
  return windows.find((window) => {
    if (!window.includes(event)) return false;
    if (atLeast !== undefined) return window.length === atLeast;
    return window.reduce((total, { amount }) => total + amount, 0) >= sum!.gte;
  });
}

/** What is too old for a window with the newest is forgotten, and all but the N newest. */
function reachable(all: Unused, { atLeast = 1_000, withinMs }: CountConfig): Unused {
  const newestMs = all.at(-1)!.atMs;
  return all.slice(-atLeast).filter(({ atMs }) => newestMs - atMs <= withinMs);
}
