import { describe, expect, test } from 'vitest';
import { EnvelopeWriter } from '../../../engine/envelope/envelope-writer.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { takeEpoch } from '../../../engine/log/ownership.ts';
import { PartitionRunner } from '../../../engine/partition/partition-runner.ts';
import { TurnLoop } from '../../../engine/worker/turn-loop.ts';
import { campaignCounters } from '../../../operators/campaign-counters.ts';
import { campaignPipeline } from '../../../operators/campaign-pipeline.ts';
import { MemoryCheckpoints } from '../../support/memory-checkpoints.ts';
import { campaignOf, definitionsOf, inactionOf } from '../../support/partition-harness.ts';
import { ManualClock } from '../intake/intake-clock.ts';
import { anEvent } from '../intake/intake-records.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WITHIN_MS = 10_000;
const TICK_AGAIN_MS = 1_000;
const INTERVAL_MS = 30_000;
const rules = [
  campaignOf('c', inactionOf({ withinMs: WITHIN_MS })),
  campaignOf('now', { kind: 'action', on: { event: 'now' } }),
];

class Stage {
  readonly clock = new ManualClock(START_MS);
  readonly log = new MemoryLog({ partitionCount: 4, beforeStore: (topic) => this.#store(topic) });
  readonly ticks: { partition: number; atMs: number }[] = [];
  readonly failures: unknown[] = [];
  readonly checkpoints: MemoryCheckpoints[] = [];
  readonly checkpointsAtMs: number[] = [];
  readonly loop: TurnLoop;
  /** Checkpoints wait here until they are let go. */
  gate: Promise<void> = Promise.resolve();
  isLogDown = false;
  writing = 0;
  writingMax = 0;
  /** How long each look at the monotonic clock takes. */
  lookMs = 0;
  alarmsInThePast = 0;
  #monotonicMs = 0;
  readonly #deferred: (() => void)[] = [];

  constructor() {
    this.loop = new TurnLoop({
      clock: {
        now: () => this.clock.now(),
        at: (atMs, callback) => {
          if (atMs <= this.clock.now()) this.alarmsInThePast++;
          return this.clock.at(Math.max(atMs, this.clock.now() + 1), callback);
        },
      },
      monotonicMs: () => {
        this.#monotonicMs += this.lookMs;
        return this.#monotonicMs;
      },
      defer: (turn) => this.#deferred.push(turn),
      requestTick: (partition, atMs) => this.ticks.push({ partition, atMs }),
      onCheckpointFailure: (_, error) => this.failures.push(error),
      checkpointIntervalMs: INTERVAL_MS,
    });
  }

  async #store(topic: string): Promise<void> {
    if (topic.startsWith('out.') && this.isLogDown) await new Promise(() => undefined);
  }

  async open(partition: number, share = 0): Promise<PartitionRunner> {
    let isSecondPause = false;
    const checkpoints = new MemoryCheckpoints(async () => {
      if (isSecondPause) {
        this.writing--;
      } else if (isOpen) {
        this.writing++;
        this.writingMax = Math.max(this.writingMax, this.writing);
        this.checkpointsAtMs.push(this.clock.now());
        await this.gate;
      }
      if (isOpen) isSecondPause = !isSecondPause;
    });
    let isOpen = false;
    const definitions = definitionsOf(rules);
    await this.append(partition, (writer) =>
      writer.addJson(RecordKind.control, { type: 'definitions', definitions }, START_MS),
    );
    const runner = await PartitionRunner.open({
      log: this.log,
      clock: this.clock,
      partition,
      epoch: await takeEpoch(this.log, this.clock),
      checkpoints,
      createPipeline: campaignPipeline({ counters: campaignCounters() }),
      reorderWindowMs: 5_000,
      onReadable: () => this.loop.readable(partition),
      onFailure: (_, error) => this.failures.push(error),
      onWarning: (_, error) => this.failures.push(error),
    });
    isOpen = true;
    this.checkpoints[partition] = checkpoints;
    this.loop.add(runner, share);
    await this.settle();
    return runner;
  }

  append(partition: number, fill: (writer: EnvelopeWriter) => void): Promise<unknown> {
    const writer = new EnvelopeWriter();
    fill(writer);
    return this.log.append(`in.${partition}`, writer.finish());
  }

  events(partition: number, name: string, count = 1): Promise<unknown> {
    const atMs = this.clock.now();
    return this.append(partition, (writer) => {
      for (let i = 0; i < count; i++) {
        const messageId = `${atMs} ${i}`;
        writer.addEvent(anEvent({ name, userId: `u${i}`, messageId, eventAtMs: atMs }), atMs);
      }
    });
  }

  /** Runs one deferred turn. */
  turn(): void {
    this.#deferred.shift()?.();
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 40; i++) {
      this.turn();
      for (let j = 0; j < 10; j++) await Promise.resolve();
    }
  }

  /** Drains, while turns and time go on. */
  async drain(): Promise<void> {
    let isDone = false;
    const draining = this.loop.drain().finally(() => {
      isDone = true;
    });
    while (!isDone) await this.advance(100);
    await draining;
  }

  async advance(ms: number): Promise<void> {
    this.clock.advanceTo(this.clock.now() + ms);
    await this.settle();
  }
}

describe('turn loop', () => {
  test('asks for a tick only when a deadline has passed, once until it comes', async () => {
    const stage = new Stage();
    const runner = await stage.open(0);
    await stage.advance(5_000);
    expect(stage.ticks).toEqual([]);
    await stage.events(0, 'did');
    await stage.settle();
    const dueAtMs = stage.clock.now() + WITHIN_MS;
    // Up to the deadline the wheel may want to be moved to the start of a bucket.
    while (runner.nextTurnAtMs() < dueAtMs) {
      await stage.advance(runner.nextTurnAtMs() + 1 - stage.clock.now());
      const { atMs } = stage.ticks.pop()!;
      expect(atMs).toBeLessThanOrEqual(dueAtMs);
      await stage.append(0, (writer) => writer.addTick(atMs));
      await stage.settle();
      expect(stage.ticks).toEqual([]);
    }
    await stage.advance(dueAtMs - stage.clock.now());
    expect(stage.ticks).toEqual([]);
    await stage.advance(1);
    expect(stage.ticks).toEqual([{ partition: 0, atMs: dueAtMs }]);
    await stage.advance(TICK_AGAIN_MS - 1);
    expect(stage.ticks).toHaveLength(1);
    await stage.advance(1);
    expect(stage.ticks).toHaveLength(2);
    await stage.append(0, (writer) => writer.addTick(dueAtMs));
    await stage.settle();
    expect(runner.openWindows).toBe(0);
    await stage.advance(10 * TICK_AGAIN_MS);
    expect(stage.ticks).toHaveLength(2);
  });

  test('asks for no tick while something stands unread: it brings time by itself', async () => {
    const stage = new Stage();
    const runner = await stage.open(0);
    await stage.events(0, 'did');
    await stage.settle();
    stage.clock.advanceTo(stage.clock.now() + 2);
    stage.ticks.length = 0;
    // The third look finds the budget spent, so an envelope a turn is read.
    stage.lookMs = 1.5;
    for (let i = 0; i < 5; i++) await stage.events(0, 'without');
    stage.clock.advanceTo(START_MS + 2 * WITHIN_MS);
    stage.loop.readable(0);
    const asked = stage.ticks.length;
    stage.turn();
    expect(stage.ticks).toHaveLength(asked);
    stage.lookMs = 0;
    await stage.settle();
    expect(runner.openWindows).toBe(0);
  });

  test('a busy partition does not keep the others from their turn', async () => {
    const stage = new Stage();
    const busy = await stage.open(0);
    const quiet = await stage.open(1);
    stage.lookMs = 1;
    for (let i = 0; i < 50; i++) await stage.events(0, 'other', 500);
    await stage.events(1, 'now');
    await Promise.resolve();
    await Promise.resolve();
    const before = quiet.offset;
    for (let i = 0; i < 3; i++) stage.turn();
    expect(quiet.offset).toBeGreaterThan(before);
    expect(busy.isCaughtUp && busy.core.isInside).toBe(false);
    expect(busy.core.recordsProcessed).toBeLessThan(50 * 500);
  });

  test('writes checkpoints one at a time, spread over the interval, and sets no alarm in the past', async () => {
    const stage = new Stage();
    for (const partition of [0, 1, 2, 3]) await stage.open(partition, partition / 4);
    let open!: () => void;
    stage.gate = new Promise((resolve) => {
      open = resolve;
    });
    const firstAtMs = START_MS + INTERVAL_MS / 2;
    await stage.advance(firstAtMs - stage.clock.now());
    expect(stage.checkpointsAtMs).toEqual([firstAtMs]);
    await stage.advance(INTERVAL_MS);
    expect(stage.checkpointsAtMs).toHaveLength(1);
    expect(stage.alarmsInThePast).toBe(0);
    open();
    await stage.settle();
    expect(stage.checkpointsAtMs).toHaveLength(4);
    expect(stage.writingMax).toBe(1);
    const later = new Stage();
    for (const partition of [0, 1, 2, 3]) await later.open(partition, partition / 4);
    for (let i = 0; i < 8; i++) await later.advance(INTERVAL_MS / 4);
    expect(later.checkpointsAtMs).toEqual(
      [0.5, 0.75, 1, 1.25].map((share) => START_MS + share * INTERVAL_MS),
    );
  });

  test('drain finishes an envelope that is half processed, and its checkpoint holds all', async () => {
    const stage = new Stage();
    const runner = await stage.open(0);
    stage.lookMs = 1;
    await stage.events(0, 'now', 500);
    await Promise.resolve();
    await Promise.resolve();
    stage.turn();
    expect(runner.core.isInside).toBe(true);
    await stage.drain();
    expect(stage.failures).toEqual([]);
    expect(stage.checkpoints[0]!.generations[0]!.offset).toBe(await stage.log.tail('in.0'));
    expect(runner.lanes.appended).toBe(500);
  });

  test('drain waits for a checkpoint under way and then writes the last one', async () => {
    const stage = new Stage();
    const runner = await stage.open(0);
    let open!: () => void;
    stage.gate = new Promise((resolve) => {
      open = resolve;
    });
    await stage.advance(INTERVAL_MS);
    expect(stage.writing).toBe(1);
    await stage.events(0, 'now');
    await stage.settle();
    const draining = stage.drain();
    open();
    await draining;
    expect(stage.checkpoints[0]!.generations.map(({ offset }) => offset)[0]).toBe(runner.offset);
  });

  test('drain ends though a partition was taken over with outputs still waiting', async () => {
    const stage = new Stage();
    const runner = await stage.open(0);
    stage.isLogDown = true;
    await stage.events(0, 'now');
    await stage.settle();
    expect(runner.lanes.waiting).toBe(1);
    const writer = new EnvelopeWriter();
    writer.addJson(RecordKind.claim, { epoch: 2 }, START_MS);
    await stage.log.claim(0, 2, writer.finish());
    await stage.settle();
    await stage.drain();
    expect(stage.failures[0]).toMatchObject({ code: 'ERR_FENCED' });
    expect(stage.checkpoints[0]!.generations).toEqual([]);
  });
});
