/** Reads back what a run has written into a lane. */
import { createHash } from 'node:crypto';
import { BEGINNING, type Log } from '../../engine/log/log.ts';
import { decodeDeliveries } from '../../operators/delivery/codec.ts';
import type { Delivery } from '../../operators/delivery/delivery.ts';

export interface Outputs {
  readonly count: number;
  /**
   * Of ids and instants in each partition's order; how partitions came to share the lane, and how
   * their outputs fell into envelopes, is left out.
   */
  readonly hash: string;
}

/** @param onDelivery is shown every delivery, in order within its partition */
export async function readOutputs(
  log: Log,
  webhook: string,
  onDelivery: (delivery: Delivery) => void = () => {},
): Promise<Outputs> {
  const topic = `out.${webhook}`;
  const tail = await log.tail(topic);
  const hashes = Array.from({ length: log.partitionCount }, () => createHash('sha256'));
  let count = 0;
  let wake: () => void = () => {};
  const reader = log.read(topic, BEGINNING, () => wake());
  for (let offset = BEGINNING; offset < tail; ) {
    const stored = reader.poll();
    if (stored === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    offset = stored.offset;
    const hash = hashes[stored.fence!.writer]!;
    for (const delivery of decodeDeliveries(stored.bytes)) {
      count++;
      hash.update(`${delivery.id} ${delivery.campaignId} ${delivery.qualifiedAtMs}\n`);
      onDelivery(delivery);
    }
  }
  reader.close();
  const all = createHash('sha256');
  for (const hash of hashes) all.update(hash.digest());
  return { count, hash: all.digest('hex').slice(0, 16) };
}
