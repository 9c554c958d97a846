/** What every part of the log contract is given. */
import type { Log, WriterPosition } from '../../../engine/log/log.ts';

/** One log, and the ways to it. */
export interface LogHome {
  readonly partitionCount: number;
  /** A connection of its own, as another thread would have. */
  connect(): Promise<Log>;
  /** Lets go of the log and takes it up again, as the next process would; all are closed before. */
  reopen(): Promise<void>;
  stop(): Promise<void>;
}

export type Given = () => {
  readonly log: Log;
  readonly home: LogHome;
  readonly freshTopic: (kind?: string) => string;
};

export const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

export function at(epoch: number, offset: number, ordinal = 0): WriterPosition {
  return { epoch, offset, ordinal };
}
