import { DoorCounters } from '../../../connectors/doors/door-counters.ts';
import { RejectedStore } from '../../../connectors/doors/rejected.ts';
import { Intake } from '../../../engine/intake/intake.ts';
import { MemoryLog, type MemoryLogOptions } from '../../../engine/log/memory-log.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { recordsOf, type StoredRecord } from '../../engine/intake/intake-records.ts';

export const PARTITION_COUNT = 4;

/** What stands behind a door: a log in memory and an intake into it. */
export function behindTheDoor(
  options: Partial<MemoryLogOptions> & {
    readonly clock?: Clock;
    readonly log?: MemoryLog;
    readonly inFlightBytesMax?: number;
    readonly unreadRecordsMax?: number;
  } = {},
) {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? new MemoryLog({ partitionCount: PARTITION_COUNT, ...options });
  const { inFlightBytesMax, unreadRecordsMax } = options;
  const intake = new Intake({
    log,
    clock,
    ...(inFlightBytesMax !== undefined && { inFlightBytesMax }),
    ...(unreadRecordsMax !== undefined && { unreadRecordsMax }),
  });
  const rejected = new RejectedStore({ log, clock });
  const counters = new DoorCounters();
  return { clock, log, intake, rejected, counters };
}

/** Everything that stands in the input, partition by partition. */
export function allRecordsOf(log: MemoryLog): StoredRecord[] {
  return Array.from({ length: log.partitionCount }, (_, p) => recordsOf(log, p).flat()).flat();
}

/** Turns of the event loop until it holds; the test's own time limit ends it otherwise. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve));
}
