/** `sequence` by hand: every chain there is, each gone on with (SPEC 2.1). */
import type { JudgedEvent, OrderModel } from './oracle-in-order.ts';
import type { SequenceConfig } from './workload.ts';

interface Chain {
  /** Its newest step, from 0. */
  readonly step: number;
  readonly startAtMs: number;
  readonly endAtMs: number;
}

type Chains = readonly Chain[];

export function sequenceModel({ steps, withinMs }: SequenceConfig): OrderModel<Chains> {
  return {
    none: [],
    take: (before, event) => {
      const grown = event.steps.flatMap((step) => grownBy(before, event, step, withinMs));
      const isMet = grown.some(({ step }) => step === steps.length - 1);
      // All that came before is used up.
      return { after: isMet ? [] : [...before, ...grown], isMet };
    },
    join: (mine, theirs) => [...theirs, ...mine],
  };
}

function grownBy(chains: Chains, event: JudgedEvent, step: number, withinMs: number): Chain[] {
  const { atMs } = event;
  if (step === 0) return [{ step, startAtMs: atMs, endAtMs: atMs }];
  const shorter = chains.filter((one) => one.step === step - 1);
  const isLate = shorter.some(({ endAtMs }) => endAtMs > atMs);
  return (isLate ? latestOf(shorter) : shorter)
    .filter(({ startAtMs, endAtMs }) => endAtMs <= atMs && atMs - startAtMs <= withinMs)
    .map(({ startAtMs }) => ({ step, startAtMs, endAtMs: atMs }));
}

/** One that was overtaken for too long goes on with the chain that starts latest, and no other. */
function latestOf(chains: Chains): Chains {
  const startAtMs = Math.max(...chains.map((one) => one.startAtMs));
  return chains.filter((one) => one.startAtMs === startAtMs).slice(-1);
}
