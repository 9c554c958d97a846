import type { CellValue } from '../../engine/state/keyed-state.ts';

/** One user who meets one campaign once, on the way through the gates. */
export interface Candidate {
  /** `msg_…` of the delivery that is owed when all gates let it pass. */
  readonly deliveryId: string;
  /** When the rule was met, Unix ms. */
  readonly qualifiedAtMs: number;
  /** The event that a message tells of. */
  readonly occurrence: Occurrence;
  /** When delay and quiet hours let it go; `ttl` counts from here. Unix ms. */
  dueAtMs: number;
  /** Which gate is asked next: its place among all, since an edit may add or remove some. */
  gate: number;
  /** Of a control group: nothing is sent, conversions are measured. */
  isControl: boolean;
  /** What it was meant to remind of has happened since. */
  isDone: boolean;
}

/** The event that a message tells of. */
export interface Occurrence {
  /** Halves of the hash of the event's id. */
  readonly lo: number;
  readonly hi: number;
  /** Event time, Unix ms. */
  readonly eventAtMs: number;
  /** Match value as text; empty without one. */
  readonly match: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

const CONTROL = 1;
const DONE = 2;

/** The row of a waiting candidate; its match value is the delivery's id. */
export function candidateRow(candidate: Candidate): CellValue {
  const { lo, hi, eventAtMs, match, properties } = candidate.occurrence;
  const flags = (candidate.isControl ? CONTROL : 0) | (candidate.isDone ? DONE : 0);
  const { gate, qualifiedAtMs, dueAtMs } = candidate;
  // Names and values apart: a map would take a property's name `__proto__` for the prototype.
  const kept = [Object.keys(properties), Object.values(properties)];
  return [gate, qualifiedAtMs, dueAtMs, flags, lo, hi, eventAtMs, match, ...kept];
}

export function candidateOf(deliveryId: string, row: CellValue): Candidate {
  const [gate, qualifiedAtMs, dueAtMs, flags, lo, hi, eventAtMs, match, names, values] = row as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    string,
    string[],
    unknown[],
  ];
  return {
    deliveryId,
    qualifiedAtMs,
    dueAtMs,
    gate,
    isControl: (flags & CONTROL) !== 0,
    isDone: (flags & DONE) !== 0,
    occurrence: { lo, hi, eventAtMs, match, properties: mapOf(names, values) },
  };
}

/** @returns without a prototype, so that no name means anything else */
export function mapOf(names: readonly string[], values: readonly unknown[]) {
  const map = Object.create(null) as Record<string, unknown>;
  names.forEach((name, i) => {
    map[name] = values[i];
  });
  return map;
}
