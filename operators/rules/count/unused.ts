import type { Fold, OrderedEvent } from '../in-order.ts';

/** Events that no window has used up, in order of event time. */
export interface Unused {
  readonly events: OrderedEvent[];
}

/** So many events are remembered at most; a rule asks for up to as many. */
export const COUNTED_EVENTS_MAX = 1_000;

/** When enough is enough: so many events, or so much of a property. */
export type Enough = { readonly atLeast: number } | { readonly sumGte: number };

/**
 * A sliding window over what is not used up: once it holds enough, what it holds is used up.
 * @param withinMs from first to last at most, both ends included
 */
export function countFold(enough: Enough, withinMs: number): Fold<Unused> {
  return {
    take: ({ events }, event) => {
      const at = events.findLastIndex(({ atMs }) => atMs <= event.atMs) + 1;
      events.splice(at, 0, event);
      const taken = enoughBy(events, at, enough, withinMs);
      if (taken !== undefined) events.splice(taken.from, taken.to - taken.from);
      else forget(events, enough, withinMs);
      return taken !== undefined;
    },
    copy: ({ events }) => ({ events: [...events] }),
    both: (_a, b) => b,
  };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** The first window, in order of its end, that holds enough with the event at `at`. */
function enoughBy(
  events: readonly OrderedEvent[],
  at: number,
  enough: Enough,
  withinMs: number,
): Range | undefined {
  for (let last = at; last < events.length; last++) {
    if (events[last]!.atMs - events[at]!.atMs > withinMs) return undefined;
    const from = 'atLeast' in enough ? last - enough.atLeast + 1 : firstOf(events, last, withinMs);
    if (from < 0 || from > at) continue;
    if (events[last]!.atMs - events[from]!.atMs > withinMs) continue;
    if ('atLeast' in enough || sumOf(events, from, last) >= enough.sumGte) {
      return { from, to: last + 1 };
    }
  }
  return undefined;
}

function firstOf(events: readonly OrderedEvent[], last: number, withinMs: number): number {
  let from = last;
  while (from > 0 && events[last]!.atMs - events[from - 1]!.atMs <= withinMs) from--;
  return from;
}

function sumOf(events: readonly OrderedEvent[], from: number, last: number): number {
  let sum = 0;
  for (let i = from; i <= last; i++) sum += events[i]!.meaning;
  return sum;
}

/** What no window can reach any more, and what is beyond the limit. */
function forget(events: OrderedEvent[], enough: Enough, withinMs: number): void {
  const oldestMs = events.at(-1)!.atMs - withinMs;
  const countMax = 'atLeast' in enough ? enough.atLeast : COUNTED_EVENTS_MAX;
  let from = Math.max(0, events.length - countMax);
  while (from < events.length && events[from]!.atMs < oldestMs) from++;
  events.splice(0, from);
}

/** One user from now on; one event that both ids had counts once. */
export function mergedUnused(mine: Unused, theirs: Unused): Unused {
  const own = mine.events.filter(
    ({ idLo, idHi }) => !theirs.events.some((one) => one.idLo === idLo && one.idHi === idHi),
  );
  return { events: [...own, ...theirs.events].sort((a, b) => a.atMs - b.atMs) };
}
