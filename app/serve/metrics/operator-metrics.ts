import type { MetricSource } from '../../../connectors/metrics/metrics.ts';
import type { OperatorCounters } from '../../../operators/campaign-counters.ts';
import { type EngineCounts, sumOf } from './overview.ts';

/** A metric for each counter: one that is missing here does not compile. */
const OPERATORS: Readonly<Record<keyof OperatorCounters, readonly [name: string, help: string]>> = {
  events: ['events_processed', 'Events that the operators have looked at.'],
  duplicates: ['events_duplicate', 'Events ignored, as their message id was known already.'],
  historyOnly: ['events_history_only', 'Events too old or too far ahead to trigger anything.'],
  eventsMoved: ['events_moved', "Events by an id that had become another user's, sent on."],
  qualifications: ['qualifications', 'Users who met a campaign, before delivery.'],
  windowsOpened: ['windows_opened', 'Windows opened by an event.'],
  windowsCancelled: ['windows_cancelled', 'Windows closed by the event that they waited for.'],
  windowsFired: ['windows_fired', 'Windows that ran out, so that the user qualified.'],
  windowsRefused: [
    'windows_refused',
    'Windows not opened: a 26th of a user and campaign, or properties too large to keep.',
  ],
  windowsDropped: ['windows_dropped', 'Windows that ran out after their campaign was removed.'],
  windowsMoved: ['windows_moved', "Windows that went along when an id became another user's."],
  windowsMerged: ['windows_merged', 'Windows that became one of two when users were joined.'],
  windowsUnmatched: [
    'windows_unmatched',
    'Windows not opened: the event lacks the property of match.',
  ],
  cancelsUnmatched: [
    'cancels_unmatched',
    'Events of a without that close no window: they lack the property of match.',
  ],
  windowsOvertaken: [
    'windows_overtaken',
    'Windows not opened: what they would wait for came before, within engine.reorderWindow.',
  ],
  amountsUnread: ['amounts_unread', 'Events that a sum left out: no number is at its property.'],
  datesUnread: ['dates_unread', 'Values that a date rule left out: they are no date.'],
  datesPast: ['dates_past', 'Dates that were past when they were first seen, and do not fire.'],
  restartsCapped: ['window_restarts_capped', 'Restarts not made, as a window had 100 already.'],
  joins: ['users_joined', "Users' ids that have become another's."],
  profilesRefused: ['profiles_refused', 'Changes of a profile not kept, as it had no room.'],
  statesRefused: [
    'states_refused',
    'Changes of what an operator keeps of a user, too large to keep.',
  ],
  deferred: ['qualifications_deferred', 'Qualifications that delay or quiet hours have put off.'],
  conversions: ['conversions', 'Users who reached the goal of a campaign in time.'],
};

/** What the operators of all partitions did. */
export function operatorMetrics({ partitions }: Pick<EngineCounts, 'partitions'>): MetricSource[] {
  const keys = Object.keys(OPERATORS) as (keyof OperatorCounters)[];
  return [
    suppressedMetric(partitions),
    ...keys.map((key): MetricSource => {
      const [name, help] = OPERATORS[key];
      return {
        name: `lapse_${name}_total`,
        help,
        kind: 'counter',
        samples: () => [
          { labels: {}, value: sumOf(partitions.stats, ({ counters }) => counters[key] ?? 0) },
        ],
      };
    }),
  ];
}

const SUPPRESSED = 'suppressed.';

function suppressedMetric(partitions: EngineCounts['partitions']): MetricSource {
  return {
    name: 'lapse_qualifications_suppressed_total',
    help: 'Qualifications that a gate refused, by reason.',
    kind: 'counter',
    samples: () => {
      const reasons = new Set(
        partitions.stats.flatMap((stats) =>
          Object.keys(stats?.counters ?? {}).filter((name) => name.startsWith(SUPPRESSED)),
        ),
      );
      return [...reasons].map((name) => ({
        labels: { reason: name.slice(SUPPRESSED.length) },
        value: sumOf(partitions.stats, ({ counters }) => counters[name] ?? 0),
      }));
    },
  };
}
