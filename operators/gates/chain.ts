import { NO_TIMER } from '../../engine/state/keyed-state.ts';
import { startGoalClock } from '../goals/goal.ts';
import { qualificationIds } from '../qualification-id.ts';
import { type CampaignEntry, partOperator } from '../router/campaign-entry.ts';
import type { Scope } from '../router/scope.ts';
import { type Candidate, candidateOf, candidateRow, type Occurrence } from './candidate.ts';
import type { PlacedGate } from './gate.ts';
import { operatorOfGate } from './gate-operators.ts';
import { GATES } from './gates.ts';

/** Takes what all gates have let pass. */
export type Sink = (scope: Scope, candidate: Candidate) => void;

/**
 * Takes candidates through the gates of their campaign, in order. One that has to wait is a cell of
 * keyed state with a timer: the candidate and which gate is asked next.
 */
export class GateChain {
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** The user at hand has met the campaign at hand. @param atMs when, Unix ms */
  start(scope: Scope, occurrence: Occurrence, atMs: number): void {
    const { entry, userId, key } = scope;
    const { lo, hi } = occurrence;
    const ids = qualificationIds(entry.id, userId, key.isAnonymous, lo, hi);
    scope.counters.qualifications++;
    scope.report({ type: 'qualified', window: ids.window }, atMs);
    this.#go(scope, {
      deliveryId: ids.delivery,
      qualifiedAtMs: atMs,
      occurrence,
      dueAtMs: atMs,
      gate: 0,
      isControl: false,
      isDone: false,
    });
  }

  /** A candidate's time has come. */
  wake(scope: Scope, entry: CampaignEntry, slot: number, atMs: number): void {
    const { cells } = scope.state;
    const candidate = candidateOf(cells.matchOf(slot), cells.valueOf(slot));
    cells.remove(slot);
    entry.waiting--;
    candidate.dueAtMs = atMs;
    this.#go(scope, candidate, atMs);
  }

  /** One that waited for the user's other id: what it waits for may be over here. */
  arrive(scope: Scope, entry: CampaignEntry, slot: number): void {
    const { life } = entry;
    const isOver = life === 'draft' || life === 'stopped' || life === 'archived';
    const isHeld = scope.state.cells.dueAtMs(slot) === NO_TIMER;
    if (isOver) this.cancel(scope, entry, slot, 'not-running');
    else if (isHeld && life !== 'paused') this.wake(scope, entry, slot, scope.nowMs);
  }

  /** The campaign is over for those who wait: each gets its final word. */
  cancel(scope: Scope, entry: CampaignEntry, slot: number, reason: string): void {
    const { cells } = scope.state;
    const candidate = candidateOf(cells.matchOf(slot), cells.valueOf(slot));
    cells.remove(slot);
    entry.waiting--;
    this.#suppress(scope, candidate, reason);
  }

  #go(scope: Scope, candidate: Candidate, atMs: number = candidate.qualifiedAtMs): void {
    const { entry } = scope;
    for (let i = 0; i < entry.gates.length; i++) {
      const gate = entry.gates[i]!;
      if (gate.place < candidate.gate) continue;
      if (candidate.isControl && !gate.asksControlGroup) continue;
      entry.asked[i]!++;
      scope.operator = operatorOfGate(gate, entry);
      const answer = gate.ask(scope, candidate);
      if (answer === undefined) continue;
      candidate.gate = gate.place;
      if (typeof answer === 'string') {
        if (!this.#goesOnAsControl(scope, candidate, gate, answer)) return;
      } else if (answer > atMs) {
        this.#wait(scope, candidate, gate, answer, atMs);
        return;
      }
    }
    if (candidate.isControl) startGoalClock(scope, 'control', candidate.dueAtMs);
    else {
      entry.passed++;
      this.#sink(scope, candidate);
    }
  }

  /** @returns whether a user of a control group goes on, unseen, so that conversions compare */
  #goesOnAsControl(scope: Scope, candidate: Candidate, gate: PlacedGate, reason: string): boolean {
    this.#suppress(scope, candidate, reason);
    if (gate.name !== 'control-group' || scope.campaign.goal === undefined) return false;
    candidate.isControl = true;
    return true;
  }

  #wait(scope: Scope, candidate: Candidate, gate: PlacedGate, untilMs: number, atMs: number): void {
    const isHeld = untilMs === Infinity;
    // One that was held is asked again: what held it may have become something else.
    if (!isHeld) candidate.gate = gate.place + 1;
    scope.operator = partOperator(scope.entry.index, 'waiting');
    const isNew = scope.get(candidate.deliveryId) === undefined;
    const isKept = scope.put(
      candidate.deliveryId,
      candidateRow(candidate),
      isHeld ? NO_TIMER : untilMs,
    );
    if (!isKept) {
      this.#suppress(scope, candidate, 'state-size');
      return;
    }
    if (isNew) scope.entry.waiting++;
    if (!candidate.isControl && !isHeld) {
      scope.report({ type: 'deferred', reason: gate.name, untilMs }, atMs);
    }
  }

  #suppress(scope: Scope, candidate: Candidate, reason: string): void {
    if (candidate.isControl) return;
    releaseReservations(scope, candidate);
    scope.report({ type: 'suppressed', reason });
  }
}

/** Gives back what gates have reserved for a delivery. */
export function releaseReservations(
  scope: Scope,
  { deliveryId, gate }: Pick<Candidate, 'deliveryId' | 'gate'>,
): void {
  // Those too that the campaign has no more since an edit.
  for (const one of GATES) {
    if (one.release === undefined || one.place >= gate) continue;
    scope.operator = operatorOfGate(one, scope.entry);
    one.release(scope, deliveryId);
  }
}
