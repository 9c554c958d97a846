import type { CellValue } from '../../../engine/state/keyed-state.ts';
import type { QuietRule } from '../../definitions.ts';
import { mapOf, type Occurrence } from '../../gates/candidate.ts';
import type { Scope } from '../../router/scope.ts';
import { forgetAtMs, LATE_MS } from '../rule-cells.ts';
import type { RuleKind } from '../rule-kind.ts';

/** The newest activity; when it has been told of, only its time is of use. */
interface Activity {
  readonly occurrence: Occurrence;
  readonly hasFired: boolean;
}

/**
 * A user who did something has not done it again for that long (SPEC 2.1). Each activity sets the
 * timer anew; once it has fired, the next activity does.
 */
export const quietKind: RuleKind<QuietRule> = {
  kind: 'quiet',
  inputs: ({ on }) => [{ ...on, role: 0, opensOnly: false, takesHistory: false }],
  onEvent: (scope) => {
    const { rule, isRetired, publishedAtMs } = scope.node;
    const { forMs } = rule as QuietRule;
    const row = scope.get('');
    const { eventAtMs } = scope.event;
    if (row === undefined && (isRetired || eventAtMs < publishedAtMs)) return;
    // One that comes late is not the newest: the user has been active since.
    if (row !== undefined && activityOf(row).occurrence.eventAtMs > eventAtMs) return;
    // The user was active after a newer version had taken over: that one tells of it.
    const occurrence = scope.occurrence();
    if (isRetired) scope.drop('');
    else if (scope.mayOpen)
      scope.put('', rowOf({ occurrence, hasFired: false }), eventAtMs + forMs);
    // While the campaign is paused nothing begins, but the silence before has ended.
    else putTold(scope, '', occurrence);
  },
  onTimer: (scope, match, value, dueAtMs) => {
    const { occurrence, hasFired } = activityOf(value);
    if (hasFired) {
      scope.drop(match);
      return;
    }
    putTold(scope, match, occurrence);
    scope.qualify(occurrence, dueAtMs);
  },
  merge: (_scope, mine, theirs) => {
    const [a, b] = [activityOf(mine.value), activityOf(theirs.value)];
    const isTheirs =
      b.occurrence.eventAtMs > a.occurrence.eventAtMs ||
      (b.occurrence.eventAtMs === a.occurrence.eventAtMs && b.hasFired);
    return isTheirs ? theirs : mine;
  },
};

/** Only the time is of use: what comes late and is older begins nothing. */
function putTold(scope: Scope, match: string, occurrence: Occurrence): void {
  const told = { occurrence: { ...occurrence, properties: {} }, hasFired: true };
  scope.put(match, rowOf(told), forgetAtMs(occurrence.eventAtMs + LATE_MS));
}

function rowOf({ occurrence, hasFired }: Activity): CellValue {
  const { lo, hi, eventAtMs, properties } = occurrence;
  return [eventAtMs, hasFired, lo, hi, Object.keys(properties), Object.values(properties)];
}

function activityOf(row: CellValue): Activity {
  const [eventAtMs, hasFired, lo, hi, names, values] = row as [
    number,
    boolean,
    number,
    number,
    string[],
    unknown[],
  ];
  const properties = mapOf(names, values);
  return { occurrence: { lo, hi, eventAtMs, match: '', properties }, hasFired };
}
