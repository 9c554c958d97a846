import { expect, test } from 'vitest';
import { MESSAGE_BYTES_MIN } from '../../../app/serve/message-size.ts';
import { webhookLimits } from '../../../config/limits.ts';
import { USER_ID_CHARS_MAX } from '../../../connectors/events/event-limits.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { OutputLanes } from '../../../engine/partition/output-lanes.ts';
import { deliveryBytes, encodeDeliveries } from '../../../operators/delivery/codec.ts';
import type { Delivery } from '../../../operators/delivery/delivery.ts';
import { encodeRecords } from '../../../operators/delivery/done-codec.ts';
import type { LaneRecord } from '../../../operators/delivery/lane-records.ts';
import { Outbox } from '../../../operators/delivery/outbox.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';
import { deliveryOf } from './lane-bench.ts';

/** What JetStream's headers take of a message, at most. */
const HEADERS_BYTES = 1_024;
const BYTES_MAX = MESSAGE_BYTES_MIN - HEADERS_BYTES;
/** Bounds count characters, of which each of these is three bytes. */
const LONG_ID = '語'.repeat(USER_ID_CHARS_MAX);
const CHANGES_BYTES_MAX = 256 * 1024;

function settled(members: number): LaneRecord {
  return {
    kind: 'settled',
    webhookId: `msg_${'a'.repeat(26)}`,
    campaignId: 'c'.repeat(64),
    outcome: 'failed',
    reason: 'response-too-large',
    atMs: 1e12,
    last: { attempt: 20, startedAtMs: 1e12, answer: 'response-too-large', durationMs: 1e5 },
    members: Array.from({ length: members }, (_, index) => ({
      offset: 2 ** 40 + index,
      index,
      id: `msg_${'a'.repeat(26)}`,
      userId: LONG_ID,
    })),
  };
}

test.each([1, 10, 100, webhookLimits.batchMax.max])(
  'records of done fit a message: batches of %i users with the longest ids',
  (members) => {
    const outbox = new Outbox();
    const count = 3_000 / members + 1;
    for (let i = 0; i < count; i++) outbox.push(settled(members));
    let largest = 0;
    while (outbox.size > 0) {
      largest = Math.max(largest, encodeRecords(outbox.take(CHANGES_BYTES_MAX)).length);
      outbox.durable();
    }
    expect(largest).toBeLessThanOrEqual(BYTES_MAX);
    // Else the bound would be one of records, and of nothing else.
    expect(largest).toBeGreaterThan(BYTES_MAX / 2);
  },
);

test.each([
  ['short', '{}'],
  ['of 1,000 characters of three bytes', `"${'語'.repeat(1_000)}"`],
  ['of 100,000 characters of three bytes', `"${'語'.repeat(100_000)}"`],
])('deliveries fit a message: a thousand campaigns, bodies %s', async (_, body) => {
  let largest = 0;
  const log = new MemoryLog({
    partitionCount: 1,
    beforeStore: (_topic, bytes) => {
      largest = Math.max(largest, bytes.length);
    },
  });
  const lanes = new OutputLanes({
    log,
    clock: new ManualClock(0),
    partition: 0,
    epoch: 1,
    encode: (_topic, outputs) => encodeDeliveries(outputs as readonly Delivery[]),
    bytesOf: (_topic, output) => deliveryBytes(output as Delivery),
    onRoom: () => undefined,
    onFailure: (error) => {
      throw error;
    },
  });
  for (let i = 0; i < 2_000; i++) {
    const campaignId = `${i}`.padEnd(64, 'c');
    lanes.add('out.crm', deliveryOf(LONG_ID, { id: `msg_${i}`, campaignId, body }), i + 1, 0);
  }
  await lanes.drained();
  expect(largest).toBeLessThanOrEqual(BYTES_MAX);
});
