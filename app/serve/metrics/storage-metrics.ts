import { statfs } from 'node:fs/promises';
import type { MetricSource } from '../../../connectors/metrics/metrics.ts';
import type { SizedLog } from '../../../engine/log/log.ts';
import { type Clock, systemClock } from '../../../engine/time/clock.ts';

/** Asked now and then, never waited for: a NATS server that is away must not hold up a scrape. */
export interface StorageSizes {
  /** What the log takes on its disk, or on the NATS servers' disks. */
  readonly logBytes: () => Promise<number>;
  /** What the disk of the data folder has left. */
  readonly diskFreeBytes: () => Promise<number>;
  readonly clock: Clock;
}

export function storageSizes(log: SizedLog, folder: string): StorageSizes {
  return {
    clock: systemClock,
    logBytes: () => log.sizeBytes(),
    async diskFreeBytes() {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
  };
}

/** A size that is asked anew at most so often. */
const FRESH_MS = 5_000;

/** Room on disks. The first scrape may be without them: it is what asks. */
export function storageMetrics({ logBytes, diskFreeBytes, clock }: StorageSizes): MetricSource[] {
  const gauge = (name: string, help: string, ask: () => Promise<number>): MetricSource => {
    const last = lastKnown(ask, clock);
    const samples = () => {
      const value = last();
      return value === undefined ? [] : [{ labels: {}, value }];
    };
    return { name, help, kind: 'gauge', samples };
  };
  return [
    gauge('lapse_log_bytes', 'What the log takes on its disk, room set aside included.', logBytes),
    gauge('lapse_disk_free_bytes', 'What the disk of the data folder has left.', diskFreeBytes),
  ];
}

/** The last answer, while a newer one is asked for; undefined before the first. */
function lastKnown(ask: () => Promise<number>, clock: Clock): () => number | undefined {
  let value: number | undefined;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let isAsking = false;
  const refresh = () => {
    isAsking = true;
    askedAtMs = clock.now();
    ask()
      .then(
        (answer) => {
          value = answer;
        },
        // What is not known any more is not shown.
        () => {
          value = undefined;
        },
      )
      .finally(() => {
        isAsking = false;
      });
  };
  refresh();
  return () => {
    if (!isAsking && clock.now() - askedAtMs >= FRESH_MS) refresh();
    return value;
  };
}
