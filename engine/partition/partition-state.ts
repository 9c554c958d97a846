import { AliasTable } from '../state/alias-table.ts';
import { Arena, type ArenaSnapshot } from '../state/arena.ts';
import { type DedupeSnapshot, DedupeTable } from '../state/dedupe-table.ts';
import { FIXED_FINGERPRINT_KEY, type FingerprintKey, Fingerprints } from '../state/fingerprints.ts';
import type { KeyedBlobsSnapshot } from '../state/keyed-blobs.ts';
import { KeyedState, type KeyedStateSnapshot } from '../state/keyed-state.ts';
import { ProfileTable } from '../state/profile-table.ts';
import { RecentCancels, type RecentCancelsSnapshot } from '../state/recent-cancels.ts';
import { Shapes } from '../state/shapes.ts';
import {
  type WindowDeadlines,
  WindowTable,
  type WindowTableSnapshot,
} from '../state/window-table.ts';

export interface PartitionStateOptions {
  readonly deadlines: WindowDeadlines;
  /** How long a message id is remembered. @default 86_400_000 */
  readonly dedupeWindowMs?: number;
  /** At most so many message ids are remembered. @default Infinity */
  readonly messageIdsMax?: number;
  /** Of the log. @default one that everybody knows */
  readonly fingerprintKey?: FingerprintKey;
  /** How long a cancelling event that overtook its opener still cancels. @default 5_000 */
  readonly reorderWindowMs?: number;
}

export interface PartitionSnapshot {
  readonly timeMs: number;
  readonly arena: ArenaSnapshot;
  readonly windows: WindowTableSnapshot;
  readonly cells: KeyedStateSnapshot;
  readonly profiles: KeyedBlobsSnapshot;
  readonly aliases: KeyedBlobsSnapshot;
  readonly dedupe: DedupeSnapshot;
  readonly recentCancels: RecentCancelsSnapshot;
  readonly shapes: readonly (readonly string[])[];
}

const DAY_MS = 86_400_000;

/** Everything that a partition remembers: a function of the prefix of its log. */
export class PartitionState {
  /** Partition time: the receipt time of the last record read, Unix ms. Never goes back. */
  timeMs = 0;
  /**
   * The time of what is being processed, at or after partition time: that of its receipt when time
   * does not go on with it (`RecordFlag.ahead`). Unix ms.
   */
  nowMs = 0;

  /** Whether that is later than partition time. */
  get isAhead(): boolean {
    return this.nowMs > this.timeMs;
  }

  /** How far events may overtake one another and still count in order of event time. */
  readonly reorderWindowMs: number;
  readonly arena = new Arena();
  readonly windows: WindowTable;
  /** What operators remember of users, but for open windows. */
  readonly cells: KeyedState;
  readonly profiles: ProfileTable;
  /** Of the ids that belong here: whose they are now. */
  readonly aliases: AliasTable;
  readonly fingerprints: Fingerprints;
  readonly dedupe: DedupeTable;
  readonly recentCancels: RecentCancels;
  readonly shapes = new Shapes();

  constructor(options: PartitionStateOptions) {
    this.windows = new WindowTable(this.arena, options.deadlines, 0);
    this.cells = new KeyedState(this.arena, 0);
    this.profiles = new ProfileTable(this.arena);
    this.aliases = new AliasTable(this.arena);
    this.fingerprints = new Fingerprints(options.fingerprintKey ?? FIXED_FINGERPRINT_KEY);
    this.dedupe = new DedupeTable(options.dedupeWindowMs ?? DAY_MS, options.messageIdsMax);
    this.reorderWindowMs = options.reorderWindowMs ?? 5_000;
    this.recentCancels = new RecentCancels(this.reorderWindowMs);
  }

  /**
   * The state as it stands, without stopping: what changes from now on is copied first. Call at a
   * record boundary, write it, then `thaw()`.
   */
  freeze(): PartitionSnapshot {
    return {
      timeMs: this.timeMs,
      arena: this.arena.freeze(),
      windows: this.windows.freeze(),
      cells: this.cells.freeze(),
      profiles: this.profiles.freeze(),
      aliases: this.aliases.freeze(),
      dedupe: this.dedupe.freeze(),
      recentCancels: this.recentCancels.freeze(),
      shapes: this.shapes.freeze(),
    };
  }

  thaw(): void {
    this.arena.thaw();
    this.windows.thaw();
    this.cells.thaw();
    this.profiles.thaw();
    this.aliases.thaw();
  }

  /** Takes a snapshot over. Due times are asked for, so the rules must be known already. */
  restore(snapshot: PartitionSnapshot): void {
    this.timeMs = snapshot.timeMs;
    this.nowMs = snapshot.timeMs;
    this.arena.restore(snapshot.arena);
    this.shapes.restore(snapshot.shapes);
    this.windows.restore(snapshot.windows, snapshot.timeMs);
    this.cells.restore(snapshot.cells, snapshot.timeMs);
    this.profiles.restore(snapshot.profiles);
    this.aliases.restore(snapshot.aliases);
    this.dedupe.restore(snapshot.dedupe);
    this.recentCancels.restore(snapshot.recentCancels);
  }
}
