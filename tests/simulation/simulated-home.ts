import type { Log } from '../../engine/log/log.ts';
import type { Clock } from '../../engine/time/clock.ts';
import type { Life } from './scheduler.ts';

/** Who connects. */
export interface Connecting {
  /** The thread. */
  readonly life: Life;
  /** The process that it belongs to. */
  readonly root: Life;
  readonly clock: Clock;
  readonly partitionCount: number;
  /** The log is gone for this process and does not come back by itself. */
  readonly onFailure: (error: unknown) => void;
}

/** Where the log of a run lives: what stands between its users and what is durable. */
export interface SimulatedHome {
  readonly name: 'contract' | 'embedded' | 'jetstream';
  connect(connecting: Connecting): Promise<Log>;
  /** The log is of no use for so long: no leader, a full disk, a lost connection. */
  away(ms: number): void;
}
