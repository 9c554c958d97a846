/** What the operators of a thread have done since it started; plain numbers, read by /metrics. */
export interface CampaignCounters {
  events: number;
  duplicates: number;
  historyOnly: number;
  qualifications: number;
  windowsOpened: number;
  windowsCancelled: number;
  windowsFired: number;
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

export function campaignCounters(): CampaignCounters {
  return {
    events: 0,
    duplicates: 0,
    historyOnly: 0,
    qualifications: 0,
    windowsOpened: 0,
    windowsCancelled: 0,
    windowsFired: 0,
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
