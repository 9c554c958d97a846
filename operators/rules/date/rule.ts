import { fnv1a32OfText, mix32 } from '../../../engine/state/hash.ts';
import type { CellValue } from '../../../engine/state/keyed-state.ts';
import type { DateRule } from '../../definitions.ts';
import { propertyReader } from '../../filters/property.ts';
import { mapOf, type Occurrence } from '../../gates/candidate.ts';
import type { Scope } from '../../router/scope.ts';
import { propertyOf } from '../rule-cells.ts';
import type { RuleKind } from '../rule-kind.ts';
import { dueAt } from './due-at.ts';

/** A date that is waited for, and what a message tells of. */
interface AwaitedDate {
  /** As it was written. */
  readonly value: unknown;
  readonly occurrence: Occurrence;
}

/** Attributes that say the user's zone, beside the date itself. */
const ZONE_ATTRIBUTES = ['timezone', 'Tz'];

/**
 * At the date held by an event's property, or by an attribute, plus an offset (SPEC 2.1). A changed
 * value moves it, a cleared one cancels it, and a date that is past when it is first seen does not
 * fire. One date a user: that of the newest event, or of the profile.
 */
export const dateKind: RuleKind<DateRule> = {
  kind: 'date',
  inputs: ({ on }) =>
    on === undefined ? [] : [{ ...on, role: 0, opensOnly: false, takesHistory: false }],
  attributes: ({ on, property }) =>
    on === undefined ? [property, ...ZONE_ATTRIBUTES] : ZONE_ATTRIBUTES,
  onEvent: (scope) => {
    const rule = scope.node.rule as DateRule;
    const row = scope.get('');
    const known = row === undefined ? undefined : awaitedOf(row);
    // One that comes late says what was so before.
    if (known !== undefined && known.occurrence.eventAtMs > scope.event.eventAtMs) return;
    awaitDate(scope, { value: propertyOf(scope, rule.property), occurrence: scope.occurrence() });
  },
  onAttribute: (scope) => {
    const rule = scope.node.rule as DateRule;
    const row = scope.get('');
    if (rule.on !== undefined) {
      // The zone has changed, which moves a date without one.
      if (row !== undefined) awaitDate(scope, awaitedOf(row));
      return;
    }
    const value = propertyReader(rule.property)(scope.profile());
    const occurrence = { lo: 0, hi: 0, eventAtMs: scope.nowMs, match: '', properties: {} };
    awaitDate(scope, { value, occurrence });
  },
  onTimer: (scope, match, row, dueAtMs) => {
    const awaited = awaitedOf(row);
    const { yearly } = scope.node.rule as DateRule;
    const nextMs = yearly ? dueOf(scope, awaited.value, dueAtMs + 1) : undefined;
    if (nextMs === undefined) scope.drop(match);
    else scope.put(match, row, nextMs);
    scope.qualify(occurrenceAt(awaited.occurrence, dueAtMs), dueAtMs);
  },
  merge: (_scope, mine, theirs) => {
    const [a, b] = [awaitedOf(mine.value), awaitedOf(theirs.value)];
    return b.occurrence.eventAtMs > a.occurrence.eventAtMs ? theirs : mine;
  },
};

function awaitDate(scope: Scope, awaited: AwaitedDate): void {
  const isKnown = scope.get('') !== undefined;
  if (!isKnown && !scope.mayOpen) return;
  const dueAtMs = dueOf(scope, awaited.value, scope.nowMs);
  if (dueAtMs === undefined) scope.drop('');
  else scope.put('', rowOf(awaited), dueAtMs);
}

function dueOf(scope: Scope, value: unknown, fromMs: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  const rule = scope.node.rule as DateRule;
  return dueAt(value, { rule, timezone: scope.userTimezone(), fromMs });
}

/** Each time it fires is an occurrence of its own, in an order of the log's own making. */
function occurrenceAt(occurrence: Occurrence, dueAtMs: number): Occurrence {
  const hash = fnv1a32OfText(String(dueAtMs));
  return {
    ...occurrence,
    lo: mix32(occurrence.lo ^ hash),
    hi: mix32(occurrence.hi + hash),
    eventAtMs: dueAtMs,
  };
}

function rowOf({ value, occurrence }: AwaitedDate): CellValue {
  const { lo, hi, eventAtMs, properties } = occurrence;
  return [value, lo, hi, eventAtMs, Object.keys(properties), Object.values(properties)];
}

function awaitedOf(row: CellValue): AwaitedDate {
  const [value, lo, hi, eventAtMs, names, values] = row as [
    unknown,
    number,
    number,
    number,
    string[],
    unknown[],
  ];
  const properties = mapOf(names, values);
  return { value, occurrence: { lo, hi, eventAtMs, match: '', properties } };
}
