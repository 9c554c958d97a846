import { expect, test } from 'vitest';
import type { DeliveryOutcome } from '../../../engine/envelope/outcomes.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { LaneRunner } from '../../../engine/sender/lane-runner.ts';
import type { OutgoingRequest, TransportResult } from '../../../engine/sender/transport.ts';
import type { Webhook } from '../../../operators/definitions.ts';
import { encodeDeliveries } from '../../../operators/delivery/codec.ts';
import type { Delivery } from '../../../operators/delivery/delivery.ts';
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
import {
  envelopesOf,
  Life,
  outcomesIn,
  ScriptedTransport,
  SimulatedClock,
  SlowLog,
} from './crash-bench.ts';

const SEEDS = Array.from({ length: 60 }, (_, i) => i + 1);
const ROUNDS = 12;
const RATE = { limit: 20, perMs: 1_000, burst: 2 };
const CAMPAIGNS = ['a', 'b', 'c'];

interface Seen {
  readonly atMs: number;
  readonly webhookId: string;
  readonly attempt: number;
  readonly users: readonly string[];
}

/** A run of crashes under one seed, and all that an observer outside of it saw. */
class CrashRun {
  readonly prng: Prng;
  readonly clock = new SimulatedClock(BASE_MS);
  readonly log = new MemoryLog({ partitionCount: 1 });
  readonly webhook: Webhook;
  readonly deliveries = new Map<string, Delivery>();
  readonly attempts: Seen[] = [];
  readonly settled = new Map<string, string[]>();
  readonly retryAtMs = new Map<string, number>();
  readonly problems: string[] = [];
  /** With a log that fails now and then, a record may stand twice, but never say two things. */
  readonly isFlaky: boolean;
  isHealthy = false;
  #inFlight = 0;
  /** Of the latest start. */
  #epoch = 0;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.isFlaky = seed % 3 === 0;
    this.webhook = webhookOf({
      maxInFlight: this.prng.pick([1, 4, 100]),
      batch: { max: this.prng.pick([1, 3, 100]), lingerMs: this.prng.pick([0, 50]) },
      retryScheduleMs: [1_000, 5_000, 20_000],
      ...(this.prng.below(3) === 0 ? { rate: RATE } : {}),
    });
  }

  start(): { life: Life; runner: LaneRunner<unknown>; started: Promise<void> } {
    const { prng } = this;
    const life = new Life(this.clock);
    this.#inFlight = 0;
    const log = new SlowLog({
      log: this.log,
      life,
      delayMs: () => prng.pick([0, 0, 1, 5, 40]),
      isFailing: () => this.isFlaky && prng.below(8) === 0,
      onStored: (topic, bytes) => this.#stored(topic, bytes),
    });
    const runner = new LaneRunner({
      webhookId: 'hook',
      log,
      clock: life.clock,
      epoch: ++this.#epoch,
      transport: new ScriptedTransport(life, (request) => this.#receive(life, request)),
      lane: new LogLane({
        webhook: this.webhook,
        campaigns: campaignsOf(...CAMPAIGNS),
        userAgent: 'Lapse/test',
        deliveriesMax: 60,
      }),
      snapshotEvery: 15,
    });
    return { life, runner, started: runner.start() };
  }

  async owe(count: number): Promise<void> {
    const batch = Array.from({ length: count }, () => {
      const name = `u${this.deliveries.size}`;
      const nowMs = this.clock.now();
      const delivery = deliveryOf(name, {
        campaignId: this.prng.pick(CAMPAIGNS),
        ...(this.prng.below(3) === 0 ? { wantsOutcome: true, isAnonymous: true } : {}),
        dueAtMs: nowMs,
        expiresAtMs: nowMs + this.prng.pick([3_000, 30_000, 300_000]),
      });
      this.deliveries.set(name, delivery);
      return delivery;
    });
    await this.log.append('out.hook', encodeDeliveries(batch));
  }

  #receive(life: Life, request: OutgoingRequest): { afterMs: number; result: TransportResult } {
    if (life.isOver) throw new Error('a dead process made a request');
    const body = JSON.parse(new TextDecoder().decode(request.body)) as {
      profiles: { Identity: string }[];
    };
    const users = body.profiles.map((profile) => profile.Identity);
    const webhookId = request.headers['webhook-id']!;
    const attempt = Number(request.headers['webhook-attempt']);
    const seen = { atMs: this.clock.now(), webhookId, attempt, users };
    this.#check(seen);
    this.attempts.push(seen);
    if (++this.#inFlight > this.webhook.maxInFlight) this.problems.push('too many in flight');
    const afterMs = this.isHealthy ? 1 : this.prng.pick([1, 1, 20, 400, 3_000]);
    const results = [OK, OK, OK, status(500), status(400), TIMEOUT, status(429, '2')];
    const result = this.isHealthy ? OK : this.prng.pick(results);
    this.clock.at(this.clock.now() + afterMs, () => {
      if (!life.isOver) this.#inFlight--;
    });
    return { afterMs, result };
  }

  #check({ atMs, webhookId, attempt, users }: Seen): void {
    for (const user of users) {
      if (atMs >= this.deliveries.get(user)!.expiresAtMs) this.problems.push(`${user}: too late`);
      if (this.settled.has(user)) this.problems.push(`${user}: sent after it was settled`);
    }
    const dueAtMs = this.retryAtMs.get(`${webhookId}:${attempt}`) ?? 0;
    if (atMs < dueAtMs) this.problems.push(`${webhookId}: retried ${dueAtMs - atMs} ms early`);
  }

  #stored(topic: string, bytes: Uint8Array): void {
    if (topic !== 'done.hook') return;
    for (const record of decodeRecords(bytes)) {
      if (record.kind === 'retry') {
        this.retryAtMs.set(`${record.webhookId}:${record.attempt + 1}`, record.retryAtMs);
      }
      if (record.kind !== 'settled') continue;
      for (const { userId } of record.members) {
        const earlier = this.settled.get(userId) ?? [];
        this.settled.set(userId, [...earlier, record.reason || record.outcome]);
      }
    }
  }
}

async function crashAgainAndAgain(run: CrashRun): Promise<void> {
  const { prng, clock } = run;
  for (let round = 0; round < ROUNDS; round++) {
    const { life, runner, started } = run.start();
    // A crash may come while the runner is still recovering.
    started.catch(() => undefined);
    for (let n = prng.below(5); n > 0; n--) {
      await run.owe(prng.pick([1, 1, 2, 30]));
      await clock.runUntil(clock.now() + prng.pick([0, 1, 3, 60, 2_500]));
    }
    if (prng.below(4) === 0) {
      await clock.runUntil(clock.now() + 200);
      // With a log that fails it may take longer, and is then cut short.
      runner.drain().catch(() => undefined);
      await clock.runUntil(clock.now() + 10_000);
    }
    life.crash();
    await clock.runUntil(clock.now() + prng.pick([0, 100, 10_000]));
  }
}

/** Each partition was told what became of the deliveries that asked for it, and of no other. */
function checkOutcomes(run: CrashRun): void {
  const told = outcomesIn(run.log, 'in.0');
  for (const [user, delivery] of run.deliveries) {
    const wanted = delivery.wantsOutcome === true ? (run.settled.get(user) ?? []) : [];
    const heard = told.filter(({ userId }) => userId === user);
    expect([...new Set(heard.map(wordOf))], `outcomes told of ${user}`).toEqual([
      ...new Set(wanted),
    ]);
    for (const outcome of heard) {
      expect(outcome).toMatchObject({ deliveryId: delivery.id, isAnonymous: true });
      expect(outcome.campaignId).toBe(delivery.campaignId);
    }
  }
}

function wordOf({ kind, reason }: DeliveryOutcome): string {
  return kind === 'sent' ? 'delivered' : reason;
}

/** In any span at most the burst and what the rate gives, crashes or not. */
function checkRate({ attempts, webhook }: CrashRun): void {
  if (webhook.rate === undefined) return;
  const { burst, limit, perMs } = webhook.rate;
  for (let i = 0; i < attempts.length; i++) {
    for (let j = i + burst; j < Math.min(attempts.length, i + 60); j++) {
      const spanMs = attempts[j]!.atMs - attempts[i]!.atMs;
      expect(j - i + 1).toBeLessThanOrEqual(burst + (spanMs * limit) / perMs);
    }
  }
}

function checkAttempts(run: CrashRun): void {
  const idOf = new Map<string, string>();
  const lastAttempt = new Map<string, number>();
  for (const { users, webhookId, attempt } of run.attempts) {
    for (const user of users) {
      expect(idOf.get(user) ?? webhookId, `id of ${user}`).toBe(webhookId);
      idOf.set(user, webhookId);
    }
    const before = lastAttempt.get(webhookId);
    const wanted = before === undefined ? [1] : [before, before + 1];
    expect(wanted, `attempt of ${webhookId}`).toContain(attempt);
    lastAttempt.set(webhookId, attempt);
  }
}

test.each(SEEDS)('lane runner: keeps its promises through crashes, with seed %i', async (seed) => {
  const run = new CrashRun(seed);
  await crashAgainAndAgain(run);
  // Liveness: with a receiver that is well everything comes to its end.
  run.isHealthy = true;
  const { runner, started } = run.start();
  await run.clock.runUntil(run.clock.now() + 400_000);
  await started;
  expect(runner.pendingCount).toBe(0);
  const drained = runner.drain();
  await run.clock.runUntil(run.clock.now() + 100_000);
  await drained;

  expect(run.problems).toEqual([]);
  for (const user of run.deliveries.keys()) {
    const outcomes = run.settled.get(user) ?? [];
    const counted = run.isFlaky ? [...new Set(outcomes)] : outcomes;
    expect(counted, `outcomes of ${user}`).toHaveLength(1);
  }
  checkOutcomes(run);
  checkAttempts(run);
  checkRate(run);
  expect(await run.log.head('out.hook')).toBe(0);
  expect(envelopesOf(run.log, 'snap.hook')).toHaveLength(1);
});
