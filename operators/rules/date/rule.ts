import { fnv1a32OfText, mix32 } from '../../../engine/state/hash.ts';
import type { CellValue } from '../../../engine/state/keyed-state.ts';
import type { DateRule } from '../../definitions.ts';
import { propertyReader } from '../../filters/property.ts';
import { mapOf, type Occurrence } from '../../gates/candidate.ts';
import type { Scope } from '../../router/scope.ts';
import { matchText } from '../match-value.ts';
import { forgetAtMs, LATE_MS, propertyOf } from '../rule-cells.ts';
import type { RuleKind } from '../rule-kind.ts';
import { dueAt, isDate } from './due-at.ts';

/** A date that is waited for, and what a message tells of. */
interface AwaitedDate {
  /** As it was written; null: nothing is waited for, and only the event's time is of use. */
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
      const awaited = row === undefined ? undefined : awaitedOf(row);
      if (awaited !== undefined && awaited.value !== null) awaitDate(scope, awaited);
      return;
    }
    const value = propertyReader(rule.property)(scope.profile());
    const occurrence = { lo: 0, hi: 0, eventAtMs: scope.nowMs, match: '', properties: {} };
    awaitDate(scope, { value, occurrence });
  },
  onTimer: (scope, match, row, dueAtMs) => {
    const awaited = awaitedOf(row);
    const rule = scope.node.rule as DateRule;
    const isMoved = rule.on === undefined && !isInProfile(scope, rule, awaited.value);
    // One that a join brought, or a version that has been replaced, has not heard of the change.
    if (awaited.value === null || isMoved) {
      scope.drop(match);
      return;
    }
    const nextMs = rule.yearly ? dueOf(scope, awaited.value, dueAtMs + 1) : undefined;
    if (nextMs === undefined) forget(scope, awaited);
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
  // What is due before the campaign starts is past when it is first seen.
  const fromMs = Math.max(scope.nowMs, scope.node.publishedAtMs);
  const dueAtMs = dueOf(scope, awaited.value, fromMs);
  if (dueAtMs === undefined) {
    countLeftOut(scope, awaited.value);
    forget(scope, awaited);
  } else scope.put('', rowOf(awaited), dueAtMs);
}

/** One that is absent or cleared is nothing that was left out. */
function countLeftOut(scope: Scope, value: unknown): void {
  if (value === undefined || value === null) return;
  if (isDate(value, scope.userTimezone())) scope.counters.datesPast++;
  else scope.counters.datesUnread++;
}

/** An older event that comes late must not bring a date back; of attributes the profile knows. */
function forget(scope: Scope, { occurrence }: AwaitedDate): void {
  const { on } = scope.node.rule as DateRule;
  if (on === undefined) {
    scope.drop('');
    return;
  }
  const told = { value: null, occurrence: { ...occurrence, properties: {} } };
  scope.put('', rowOf(told), forgetAtMs(occurrence.eventAtMs + LATE_MS));
}

function isInProfile(scope: Scope, { property }: DateRule, value: unknown): boolean {
  const current = propertyReader(property)(scope.profile());
  return current !== undefined && matchText(current) === matchText(value);
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
