import type { Fold, OrderedEvent } from '../in-order.ts';

/**
 * The chains of a sequence so far: for each step, the chain up to it that starts latest. Any chain
 * that ends in time exists only if the one that starts latest does, so one is enough.
 */
export interface Chains {
  /** Event time of each chain's first step, -Infinity without one. Unix ms. */
  readonly startAtMs: number[];
  /** Event time of each chain's newest step. */
  readonly endAtMs: number[];
}

export function noChains(steps: number): Chains {
  const none = () => new Array<number>(steps).fill(-Infinity);
  return { startAtMs: none(), endAtMs: none() };
}

/** @param steps how many @param withinMs from first to last at most, both ends included */
export function chainFold(steps: number, withinMs: number): Fold<Chains> {
  return {
    take: (chains, event) => takeStep(chains, event, steps, withinMs),
    copy: ({ startAtMs, endAtMs }) => ({ startAtMs: [...startAtMs], endAtMs: [...endAtMs] }),
    both: (a, b) => a | b,
  };
}

/** @param event its meaning has a bit for each step it may be */
function takeStep(
  { startAtMs, endAtMs }: Chains,
  { atMs, meaning }: OrderedEvent,
  steps: number,
  withinMs: number,
): boolean {
  // From the last step down: one event is one step of a chain.
  for (let step = steps - 1; step >= 0; step--) {
    if ((meaning & (1 << step)) === 0) continue;
    // One that comes too late to be in order is no step behind a newer one.
    const isAfter = step === 0 || endAtMs[step - 1]! <= atMs;
    const startsAtMs = step === 0 ? atMs : startAtMs[step - 1]!;
    if (!isAfter || atMs - startsAtMs > withinMs) continue;
    if (step === steps - 1) {
      // All that came before is used up.
      startAtMs.fill(-Infinity);
      endAtMs.fill(-Infinity);
      return true;
    }
    if (startsAtMs < startAtMs[step]!) continue;
    startAtMs[step] = startsAtMs;
    endAtMs[step] = atMs;
  }
  return false;
}

/** One user from now on: of each step the chain that starts later. */
export function mergedChains(mine: Chains, theirs: Chains): Chains {
  const isTheirs = mine.startAtMs.map((startAtMs, i) => theirs.startAtMs[i]! > startAtMs);
  return {
    startAtMs: mine.startAtMs.map((one, i) => (isTheirs[i] ? theirs.startAtMs[i]! : one)),
    endAtMs: mine.endAtMs.map((one, i) => (isTheirs[i] ? theirs.endAtMs[i]! : one)),
  };
}
