import type { CellValue } from '../../engine/state/keyed-state.ts';
import type { Filter } from '../filters/filter.ts';
import type { Scope } from './scope.ts';

/** Events that an operator wants to see. */
export interface OperatorInput {
  /** The event's name as written. Absent: every track, page and screen event. */
  readonly event?: string;
  readonly where?: Filter;
  /** What the event means to the operator, in words of its own: a step's number, for example. */
  readonly role: number;
  /** Only while the campaign may take new users in, see `Scope.mayOpen`. */
  readonly opensOnly: boolean;
  /** Also events that are too old or too far ahead to trigger (E15). */
  readonly takesHistory: boolean;
}

/** A cell's value with its timer. */
export interface Cell {
  readonly value: CellValue;
  /** Unix ms, `NO_TIMER` for none. */
  readonly dueAtMs: number;
}

/** Whatever hears events and keeps cells: rules, gates and goals alike. */
export interface EventListener {
  /** What a role means, for the picture of the graph. @default the kind of the rule */
  roleNames?(role: number): string;
  onEvent(scope: Scope, role: number): void;
}

/** An operator whose cells have timers or move with a user. */
export interface CellOwner {
  /** The timer of a cell has come due. The cell still stands, without a timer. */
  onTimer(scope: Scope, match: string, value: CellValue, dueAtMs: number): void;
  /**
   * Two ids are one user from now on (E23, E24): what stays of both cells of one match value.
   * @returns undefined when nothing does
   */
  merge(scope: Scope, mine: Cell, theirs: Cell): Cell | undefined;
}
