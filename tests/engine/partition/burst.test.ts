/** Windows that come due at one instant: what they give is bounded by what the log takes. */
import { expect, test } from 'vitest';
import { EnvelopeWriter } from '../../../engine/envelope/envelope-writer.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { OutputRoom } from '../../../engine/partition/output-room.ts';
import { PartitionRunner } from '../../../engine/partition/partition-runner.ts';
import { campaignCounters } from '../../../operators/campaign-counters.ts';
import { campaignPipeline } from '../../../operators/campaign-pipeline.ts';
import { decodeDeliveries } from '../../../operators/delivery/codec.ts';
import { MemoryCheckpoints } from '../../support/memory-checkpoints.ts';
import { campaignOf, definitionsOf, inactionOf } from '../../support/partition-harness.ts';
import { ManualClock } from '../intake/intake-clock.ts';
import { anEvent } from '../intake/intake-records.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WITHIN_MS = 10_000;
const PARTITIONS = 3;
const WINDOWS = 400;
const ROOM = 100;
/** Records and windows between two looks at the room. */
const STRIDE = 16;
const OWN_MIN = 64;

/** Three partitions with windows that a tick at the end of each log fires, all at one instant. */
async function stage() {
  const log = new MemoryLog({
    partitionCount: PARTITIONS,
    beforeStore: (topic) => (topic.startsWith('out.') ? gate.opened : undefined),
  });
  const gate = { open: () => {}, opened: Promise.resolve() };
  gate.opened = new Promise((resolve) => {
    gate.open = resolve;
  });
  const clock = new ManualClock(START_MS);
  const campaigns = [campaignOf('inaction', inactionOf({ withinMs: WITHIN_MS }))];
  const definitions = definitionsOf(campaigns);
  const room = new OutputRoom({ outputsMax: ROOM });
  const readable = new Set<PartitionRunner>();
  const failures: unknown[] = [];
  const runners: PartitionRunner[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const append = async (fill: (writer: EnvelopeWriter) => void) => {
      const writer = new EnvelopeWriter();
      fill(writer);
      await log.append(`in.${partition}`, writer.finish());
    };
    await append((writer) => {
      writer.addJson(RecordKind.control, { type: 'definitions', definitions }, START_MS);
      for (let i = 0; i < WINDOWS; i++) {
        const userId = `p${partition}-${i}`;
        const one = anEvent({ userId, name: 'did', messageId: userId, eventAtMs: START_MS });
        writer.addEvent(one, START_MS);
      }
    });
    await append((writer) => writer.addTick(START_MS + WITHIN_MS));
    const runner = await PartitionRunner.open({
      log,
      clock,
      partition,
      epoch: 1,
      checkpoints: new MemoryCheckpoints(),
      createPipeline: campaignPipeline({ counters: campaignCounters() }),
      reorderWindowMs: 5_000,
      outputRoom: room,
      onReadable: () => readable.add(runner),
      onFailure: (_, error) => failures.push(error),
      onWarning: (_, error) => failures.push(error),
    });
    runners.push(runner);
    readable.add(runner);
  }
  const deliveries = (): string[] => {
    const reader = log.read('out.hook', 0, () => undefined);
    const users: string[] = [];
    for (let one = reader.poll(); one !== undefined; one = reader.poll()) {
      users.push(...decodeDeliveries(one.bytes).map(({ userId }) => userId));
    }
    reader.close();
    return users;
  };
  const waiting = () => runners.reduce((sum, { lanes }) => sum + lanes.waiting, 0);
  return { gate, runners, readable, failures, deliveries, waiting };
}

test('windows due at one instant: no more outputs wait than the thread has room for', async () => {
  const { gate, runners, readable, failures, deliveries, waiting } = await stage();
  for (const runner of runners) expect(runner.turn(() => false)).toBe('blocked');
  // Past the room there is only a stride of each, and the little that each has of its own.
  const most = ROOM + PARTITIONS * (OWN_MIN + STRIDE);
  expect(waiting()).toBeGreaterThanOrEqual(ROOM);
  expect(waiting()).toBeLessThanOrEqual(most);
  expect(runners.every(({ core }) => core.isInside)).toBe(true);
  readable.clear();
  gate.open();
  for (let turns = 0; deliveries().length < PARTITIONS * WINDOWS; turns++) {
    expect(turns).toBeLessThan(10_000);
    for (const runner of [...readable]) {
      readable.delete(runner);
      if (runner.turn(() => false) === 'more') readable.add(runner);
      expect(waiting()).toBeLessThanOrEqual(most);
    }
    await Promise.resolve();
  }
  const users = deliveries();
  expect(new Set(users).size).toBe(PARTITIONS * WINDOWS);
  expect(failures).toEqual([]);
});

test('windows due at one instant: a partition that ends finishes them within the room', async () => {
  const { gate, runners, deliveries, waiting } = await stage();
  const [runner] = runners;
  expect(runner!.turn(() => false)).toBe('blocked');
  gate.open();
  let most = 0;
  const finished = runner!.finishEnvelope();
  for (let i = 0; i < 50; i++) {
    most = Math.max(most, waiting());
    await Promise.resolve();
  }
  await finished;
  expect(runner!.core.isInside).toBe(false);
  await runner!.lanes.drained();
  expect(deliveries().length).toBe(WINDOWS);
  expect(most).toBeLessThanOrEqual(ROOM + STRIDE);
});
