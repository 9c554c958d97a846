import type { Decision } from './report/decision.ts';

/** What the operators of a thread have done since it started; plain numbers, read by /metrics. */
export interface OperatorCounters {
  events: number;
  duplicates: number;
  historyOnly: number;
  qualifications: number;
  windowsOpened: number;
  windowsCancelled: number;
  windowsFired: number;
  /** A `did` without the property of `match`. */
  windowsUnmatched: number;
  /** A `without` without the property of `match`: it closes nothing. */
  cancelsUnmatched: number;
  /** A `did` whose `without` had come already, received late. */
  windowsOvertaken: number;
  /** An event without the number that a `count` adds up. */
  amountsUnread: number;
  /** The value that a `date` rule waits for is no date. */
  datesUnread: number;
  /** A date that was past when it was first seen. */
  datesPast: number;
  /** What an operator wanted to remember of a user was too large. */
  statesRefused: number;
  deferred: number;
  conversions: number;
  /** A 26th window of a user and campaign, or properties too large to keep. */
  windowsRefused: number;
  /** Restarts that a window has had its share of: it runs out as it is. */
  restartsCapped: number;
  /** Their campaign was removed. */
  windowsDropped: number;
  profilesRefused: number;
  /** Users' ids that have become another's. */
  joins: number;
  /** Taken over with a join. */
  windowsMoved: number;
  /** One of two, where both ids had one of the same rule and match value. */
  windowsMerged: number;
  /** Events that came by an id which is another's by now, sent on. */
  eventsMoved: number;
}

/** With candidates that a gate refused, by reason. */
export interface CampaignCounters extends OperatorCounters {
  [reason: `suppressed.${string}`]: number;
}

export function campaignCounters(): CampaignCounters {
  return {
    events: 0,
    duplicates: 0,
    historyOnly: 0,
    qualifications: 0,
    windowsOpened: 0,
    windowsCancelled: 0,
    windowsFired: 0,
    windowsUnmatched: 0,
    cancelsUnmatched: 0,
    windowsOvertaken: 0,
    amountsUnread: 0,
    datesUnread: 0,
    datesPast: 0,
    statesRefused: 0,
    deferred: 0,
    conversions: 0,
    windowsRefused: 0,
    restartsCapped: 0,
    windowsDropped: 0,
    profilesRefused: 0,
    joins: 0,
    windowsMoved: 0,
    windowsMerged: 0,
    eventsMoved: 0,
  };
}

export function countDecision(counters: CampaignCounters, decision: Decision): void {
  if (decision.type === 'suppressed') {
    const name = `suppressed.${decision.reason}` as const;
    counters[name] = (counters[name] ?? 0) + 1;
  } else if (decision.type === 'deferred') counters.deferred++;
  else if (decision.type === 'converted') counters.conversions++;
}
