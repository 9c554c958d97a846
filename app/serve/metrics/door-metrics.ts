import type { DoorCounters } from '../../../connectors/doors/door-counters.ts';
import type { DoorName, RejectedStore } from '../../../connectors/doors/rejected.ts';
import type { MetricSource } from '../../../connectors/metrics/metrics.ts';
import type { Intake } from '../../../engine/intake/intake.ts';
import type { ConnectionLimit } from '../http/connection-limit.ts';

const DOORS: readonly DoorName[] = ['http', 'nats', 'websocket'];

export interface DoorCounts {
  readonly intake: Intake;
  readonly counters: DoorCounters;
  readonly rejected: RejectedStore;
}

/** What came in by the doors, and what became of it up to the log. */
export function doorMetrics({ counters, rejected, intake }: DoorCounts): MetricSource[] {
  return [
    {
      name: 'lapse_events_accepted_total',
      help: 'Events that a door took and that are durable.',
      kind: 'counter',
      labels: ['door'],
      samples: () => DOORS.map((door) => ({ labels: { door }, value: counters.acceptedBy(door) })),
    },
    {
      name: 'lapse_events_rejected_total',
      help: 'Events that a door refused, by reason.',
      kind: 'counter',
      labels: ['door', 'code'],
      samples: () =>
        DOORS.flatMap((door) =>
          [...rejected.countsOf(door)].map(([code, value]) => ({ labels: { door, code }, value })),
        ),
    },
    {
      name: 'lapse_events_repairs_total',
      help: 'What was changed in events so that they could go through.',
      kind: 'counter',
      labels: ['door', 'repair'],
      samples: () =>
        DOORS.flatMap((door) => {
          const { surrogates, numbersAsText, sentAtIgnored } = counters.repairsOf(door);
          return [
            { labels: { door, repair: 'lone-surrogate' }, value: surrogates },
            { labels: { door, repair: 'number-as-text' }, value: numbersAsText },
            { labels: { door, repair: 'sent-at-ignored' }, value: sentAtIgnored },
          ];
        }),
    },
    {
      name: 'lapse_events_rejected_unkept_total',
      help: 'Refused events that are missing from the dead-letter store: the log was too slow.',
      kind: 'counter',
      samples: () => [{ labels: {}, value: rejected.notKept }],
    },
    {
      name: 'lapse_requests_turned_away_total',
      help: 'Requests refused as a whole, by reason.',
      kind: 'counter',
      labels: ['code'],
      samples: () =>
        [...counters.turnedAwayByCode].map(([code, value]) => ({ labels: { code }, value })),
    },
    ...intakeMetrics(intake),
  ];
}

function intakeMetrics(intake: Intake): MetricSource[] {
  const single = (value: () => number) => () => [{ labels: {}, value: value() }];
  return [
    {
      name: 'lapse_intake_in_flight_bytes',
      help: 'Events on their way into the log.',
      kind: 'gauge',
      samples: single(() => intake.bytesInFlight),
    },
    {
      name: 'lapse_joined_ids',
      help: "Ids of users that have become another user's, held in memory by the doors.",
      kind: 'gauge',
      samples: single(() => intake.identities.count),
    },
    {
      name: 'lapse_records_appended_total',
      help: 'Records appended to the partitions by this process, ticks included.',
      kind: 'counter',
      samples: single(() => intake.recordsAppended),
    },
    {
      name: 'lapse_envelopes_appended_total',
      help: 'Appends to the partitions, each of one envelope of records.',
      kind: 'counter',
      samples: single(() => intake.envelopesAppended),
    },
    {
      name: 'lapse_envelopes_append_failures_total',
      help: 'Appends to the partitions that the log refused; their senders were told.',
      kind: 'counter',
      samples: single(() => intake.appendsFailed),
    },
  ];
}

/** The HTTP server's connections. */
export function connectionMetrics(
  connections: Pick<ConnectionLimit, 'open' | 'dropped'>,
): MetricSource[] {
  return [
    {
      name: 'lapse_connections_open',
      help: 'Connections of clients to the HTTP server.',
      kind: 'gauge',
      samples: () => [{ labels: {}, value: connections.open }],
    },
    {
      name: 'lapse_connections_dropped_total',
      help: 'Connections that were closed because there were too many: the longest waited for, one for each newcomer.',
      kind: 'counter',
      samples: () => [{ labels: {}, value: connections.dropped }],
    },
  ];
}
