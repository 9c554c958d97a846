/**
 * Events that overtook one another by up to the reorder window count as if they had come in order of
 * event time (SPEC 1.3). A rule that looks at several events keeps what the settled ones have led to
 * and the recent ones as they are; a late event goes to its place, and the recent ones are gone
 * through again from what is settled.
 */

/** An event as such a rule remembers it. */
export interface OrderedEvent {
  /** Event time, Unix ms. */
  readonly atMs: number;
  readonly idLo: number;
  readonly idHi: number;
  /** What it means to the rule: the steps it may be, or an amount. */
  readonly meaning: number;
}

/** What a rule makes of events in order; changes `base`, which is its own. */
export interface Fold<B> {
  /** @returns whether the rule is met with this event */
  take(base: B, event: OrderedEvent): boolean;
  copy(base: B): B;
  /** Two meanings of one event, told one after the other. */
  both(a: number, b: number): number;
}

export interface InOrderState<B> {
  readonly base: B;
  /** In order of event time, equal ones in order of receipt. */
  readonly recent: readonly OrderedEvent[];
  /** How often the recent ones have met the rule already. */
  readonly fired: number;
}

export interface InOrderResult<B> {
  readonly state: InOrderState<B>;
  /** How often the rule is met by this event. */
  readonly fires: number;
}

/** Takes one event in. @param reorderWindowMs how far behind the newest an event is not settled */
export function takeInOrder<B>(
  { base: settled, recent: before, fired }: InOrderState<B>,
  event: OrderedEvent,
  fold: Fold<B>,
  reorderWindowMs: number,
): InOrderResult<B> {
  const recent = placed(before, event, fold);
  const base = fold.copy(settled);
  const trial = fold.copy(settled);
  let met = 0;
  for (const one of recent) if (fold.take(trial, one)) met++;
  const settledBeforeMs = recent.at(-1)!.atMs - reorderWindowMs;
  let settling = 0;
  let settledFires = 0;
  // The event at hand stays: it may be told of once more, in another meaning.
  while (!isSame(recent[settling]!, event) && recent[settling]!.atMs < settledBeforeMs) {
    if (fold.take(base, recent[settling]!)) settledFires++;
    settling++;
  }
  const fires = Math.max(0, met - fired);
  const known = Math.max(met, fired);
  return {
    state: {
      base,
      recent: recent.slice(settling),
      // What was met in another order and is met no more was told all the same.
      fired: Math.max(0, known - settledFires),
    },
    fires,
  };
}

function placed<B>(
  recent: readonly OrderedEvent[],
  event: OrderedEvent,
  fold: Fold<B>,
): OrderedEvent[] {
  const known = recent.findIndex((one) => isSame(one, event));
  if (known !== -1) {
    const meaning = fold.both(recent[known]!.meaning, event.meaning);
    return recent.with(known, { ...event, meaning });
  }
  const at = recent.findLastIndex(({ atMs }) => atMs <= event.atMs) + 1;
  return [...recent.slice(0, at), event, ...recent.slice(at)];
}

function isSame(a: OrderedEvent, b: OrderedEvent): boolean {
  return a.idLo === b.idLo && a.idHi === b.idHi && a.atMs === b.atMs;
}

/** Two users' states of one rule, who are one user from now on. Nothing fires by itself. */
export function mergedInOrder<B>(
  mine: InOrderState<B>,
  theirs: InOrderState<B>,
  fold: Fold<B>,
  mergeBases: (mine: B, theirs: B) => B,
): InOrderState<B> {
  const own = mine.recent.filter((one) => !theirs.recent.some((other) => isSame(one, other)));
  const recent = [...own, ...theirs.recent].sort((a, b) => a.atMs - b.atMs);
  const base = mergeBases(mine.base, theirs.base);
  const trial = fold.copy(base);
  let met = 0;
  for (const one of recent) if (fold.take(trial, one)) met++;
  // A join triggers nothing by itself: what is met by it counts as told.
  return { base, recent, fired: Math.max(met, mine.fired + theirs.fired) };
}

export function eventsRow(events: readonly OrderedEvent[]): number[] {
  return events.flatMap(({ atMs, idLo, idHi, meaning }) => [atMs, idLo, idHi, meaning]);
}

export function eventsOf(row: readonly number[]): OrderedEvent[] {
  const events: OrderedEvent[] = [];
  for (let i = 0; i < row.length; i += 4) {
    const [atMs, idLo, idHi, meaning] = row.slice(i, i + 4) as [number, number, number, number];
    events.push({ atMs, idLo, idHi, meaning });
  }
  return events;
}
