import type { ConditionReport } from '../health/conditions.ts';
import type { EventQuery, EventStanding } from '../intake/event-standing.ts';
import type { HistogramCounts } from '../metrics/histogram.ts';
import type { Alias } from '../state/alias-table.ts';

/** What the main thread says to a worker. */
export type ToWorker =
  | { readonly kind: 'drain' }
  /** A question to all pipelines, answered with the same id. */
  | { readonly kind: 'describe'; readonly id: number; readonly query: unknown }
  /** What would become of events of its partitions; asked before they are in the log. */
  | { readonly kind: 'ask'; readonly id: number; readonly queries: readonly EventQuery[] };

/** An error as it crosses a thread. */
export interface ThreadError {
  readonly code: string;
  readonly message: string;
  readonly domain: 'user' | 'external' | 'internal';
}

/** What a worker with partitions says to the main thread. */
export type FromPartitionWorker =
  | { readonly kind: 'ready'; readonly replayedRecords: number }
  /** What the partitions remember of joined users; before `ready`, in portions. */
  | { readonly kind: 'aliases'; readonly aliases: readonly Alias[] }
  | { readonly kind: 'moved'; readonly arrivals: readonly string[] }
  | { readonly kind: 'ticks'; readonly ticks: readonly TickRequest[] }
  | { readonly kind: 'stats'; readonly stats: PartitionStats }
  | { readonly kind: 'warning'; readonly partition: number; readonly error: ThreadError }
  | { readonly kind: 'condition'; readonly report: ConditionReport }
  | {
      readonly kind: 'answered';
      readonly id: number;
      readonly standings: readonly EventStanding[];
    }
  | { readonly kind: 'described'; readonly id: number; readonly pipelines: readonly unknown[] }
  | { readonly kind: 'failed'; readonly error: ThreadError }
  | { readonly kind: 'drained' };

export interface TickRequest {
  readonly partition: number;
  /** Unix ms. */
  readonly atMs: number;
}

/** A thread's partitions, counted since it started. */
export interface PartitionStats {
  /** Counters of the pipeline, by name. */
  readonly counters: Readonly<Record<string, number>>;
  /** Records of this run: what was replayed at the start is left out. */
  readonly recordsProcessed: number;
  readonly openWindows: number;
  /** Largest distance of partition time to now among partitions with something unread, ms. */
  readonly lagMs: number;
  readonly outputsWaiting: number;
  /** For how long the partition that stands still longest has got nowhere with what is due, ms. */
  readonly stillMs: number;
  readonly timerDelay: HistogramCounts;
  readonly busyMs: number;
  readonly checkpointBytes: number;
  /**
   * Since the newest checkpoint of the partition that has waited longest with something to write;
   * since the thread began where it has written none. 0 when none has anything to write.
   */
  readonly checkpointAgeMs: number;
  readonly checkpointFailures: number;
  /** Message ids that are remembered, and what they take. */
  readonly messageIds: number;
  readonly messageIdBytes: number;
  /** Message ids forgotten before their time. */
  readonly dedupeEvictedEarly: number;
  /** Cancelling events forgotten before their time. */
  readonly cancelsEvictedEarly: number;
}
