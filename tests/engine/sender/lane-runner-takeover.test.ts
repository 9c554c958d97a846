/**
 * A lane is taken over while its owner lives on, as a process does that was stopped and not dead:
 * each delivery goes out under one id, whoever sends it, and is settled once.
 */
import { expect, test } from 'vitest';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { LaneRunner } from '../../../engine/sender/lane-runner.ts';
import { silentObserver } from '../../../engine/sender/observer.ts';
import type { OutgoingRequest } from '../../../engine/sender/transport.ts';
import { encodeDeliveries } from '../../../operators/delivery/codec.ts';
import { decodeRecords } from '../../../operators/delivery/done-codec.ts';
import { LogLane } from '../../../operators/delivery/log-lane.ts';
import {
  BASE_MS,
  campaignsOf,
  deliveryOf,
  OK,
  status,
  TIMEOUT,
  webhookOf,
} from '../../operators/delivery/lane-bench.ts';
import { Prng } from '../../support/prng.ts';
import { envelopesOf, Life, ScriptedTransport, SimulatedClock, SlowLog } from './crash-bench.ts';

const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);
const OWNERS = 6;
const CAMPAIGNS = ['a', 'b'];

class TakeoverRun {
  readonly prng: Prng;
  readonly clock = new SimulatedClock(BASE_MS);
  readonly log = new MemoryLog({ partitionCount: 1 });
  /** Ids under which a user's delivery went out. */
  readonly idsOf = new Map<string, Set<string>>();
  readonly failures: string[] = [];
  owed = 0;
  /** Of the latest owner. */
  #epoch = 0;
  isHealthy = false;

  constructor(seed: number) {
    this.prng = new Prng(seed);
  }

  start(): LaneRunner<unknown> {
    const { prng, clock } = this;
    const life = new Life(clock);
    const log = new SlowLog({
      log: this.log,
      life,
      delayMs: () => prng.pick([0, 1, 5, 40, 80]),
      isFailing: () => !this.isHealthy && prng.chance(0.05),
      onStored: () => {},
    });
    const webhook = webhookOf({
      maxInFlight: 50,
      batch: { max: 20, lingerMs: 5 },
      retryScheduleMs: [500, 1_000, 2_000],
    });
    return new LaneRunner({
      webhookId: 'hook',
      log,
      clock: life.clock,
      epoch: ++this.#epoch,
      transport: new ScriptedTransport(life, (request) => this.#receive(request)),
      lane: new LogLane({
        webhook,
        campaigns: campaignsOf(...CAMPAIGNS),
        userAgent: 'Lapse/test',
      }),
      observer: { ...silentObserver, laneFailed: (_, { code }) => this.failures.push(code) },
      snapshotEvery: 15,
    });
  }

  async owe(): Promise<void> {
    const { prng, clock } = this;
    const batch = Array.from({ length: prng.pick([1, 1, 1, 3, 12]) }, () =>
      deliveryOf(`u${this.owed++}`, {
        campaignId: prng.pick(CAMPAIGNS),
        dueAtMs: clock.now(),
        expiresAtMs: clock.now() + 10 ** 6,
      }),
    );
    await this.log.append('out.hook', encodeDeliveries(batch));
  }

  settled(): string[] {
    return envelopesOf(this.log, 'done.hook')
      .flatMap((bytes) => decodeRecords(bytes))
      .flatMap((record) => (record.kind === 'settled' ? record.members : []))
      .map(({ userId }) => userId);
  }

  #receive(request: OutgoingRequest) {
    const body = JSON.parse(new TextDecoder().decode(request.body)) as {
      profiles: { Identity: string }[];
    };
    const id = request.headers['webhook-id']!;
    for (const { Identity: user } of body.profiles) {
      this.idsOf.set(user, (this.idsOf.get(user) ?? new Set()).add(id));
    }
    const afterMs = this.isHealthy ? 1 : this.prng.pick([1, 1, 20, 400]);
    return {
      afterMs,
      result: this.isHealthy ? OK : this.prng.pick([OK, OK, status(500), TIMEOUT]),
    };
  }
}

test.each(SEEDS)('lane runner: one id and one outcome each, with seed %i', async (seed) => {
  const run = new TakeoverRun(seed);
  const { prng, clock } = run;
  let runner = run.start();
  for (let n = 0; n < OWNERS; n++) {
    // It may be fenced before it has begun.
    runner.start().catch(() => undefined);
    for (let steps = 2 + prng.below(16); steps > 0; steps--) {
      await run.owe();
      await clock.runUntil(clock.now() + prng.pick([0, 1, 3, 3, 3, 4, 30, 600]));
    }
    runner = run.start();
  }
  run.isHealthy = true;
  // Those who still wait to take the lane take it before the last one does.
  await clock.runUntil(clock.now() + 1_000);
  const started = runner.start();
  await clock.runUntil(clock.now() + 100_000);
  await started;
  const users = Array.from({ length: run.owed }, (_, i) => `u${i}`);
  expect(run.settled().sort()).toEqual(users.sort());
  expect([...run.idsOf].filter(([, ids]) => ids.size > 1)).toEqual([]);
  expect(new Set(run.failures)).toEqual(new Set(['ERR_FENCED']));
  expect(runner.pendingCount).toBe(0);
});
