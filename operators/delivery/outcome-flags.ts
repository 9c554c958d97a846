/** What a delivery says of itself beside its texts, as a number a delivery. */

export interface OutcomeFlags {
  readonly isAnonymous?: boolean;
  readonly wantsOutcome?: boolean;
  readonly hasSubject?: boolean;
}

const ANONYMOUS = 1;
const WANTED = 2;
const SUBJECT = 4;

/** A column for the deliveries in their order; null when all of it would be zeros. */
export function flagColumn(deliveries: readonly OutcomeFlags[]): readonly number[] | null {
  let isNeeded = false;
  const column = deliveries.map(({ isAnonymous, wantsOutcome, hasSubject }) => {
    const flags =
      (isAnonymous === true ? ANONYMOUS : 0) |
      (wantsOutcome === true ? WANTED : 0) |
      (hasSubject === true ? SUBJECT : 0);
    if (flags !== 0) isNeeded = true;
    return flags;
  });
  return isNeeded ? column : null;
}

/** @param flags of the column; undefined: there was none */
export function outcomeFlags(flags: number | undefined): OutcomeFlags {
  if (flags === undefined || flags === 0) return {};
  return {
    ...((flags & ANONYMOUS) !== 0 ? { isAnonymous: true } : {}),
    ...((flags & WANTED) !== 0 ? { wantsOutcome: true } : {}),
    ...((flags & SUBJECT) !== 0 ? { hasSubject: true } : {}),
  };
}
