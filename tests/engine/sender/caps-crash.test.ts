import { expect, test } from 'vitest';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { LaneRunner } from '../../../engine/sender/lane-runner.ts';
import { silentObserver } from '../../../engine/sender/observer.ts';
import type { OutgoingRequest, TransportResult } from '../../../engine/sender/transport.ts';
import { encodeDeliveries } from '../../../operators/delivery/codec.ts';
import { decodeRecords } from '../../../operators/delivery/done-codec.ts';
import { LogLane } from '../../../operators/delivery/log-lane.ts';
import {
  BASE_MS,
  campaignOf,
  deliveryOf,
  OK,
  status,
  TIMEOUT,
  webhookOf,
} from '../../operators/delivery/lane-bench.ts';
import { Prng } from '../../support/prng.ts';
import { envelopesOf, Life, ScriptedTransport, SimulatedClock, SlowLog } from './crash-bench.ts';

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);
const KILLS = 20;
const COUPONS = 100;
const USERS = 600;
const DAY_MS = 86_400_000;

/** Lives of a lane, one after the other, and the users whose requests a receiver has accepted. */
class CouponRun {
  readonly prng: Prng;
  readonly clock = new SimulatedClock(BASE_MS);
  readonly log = new MemoryLog({ partitionCount: 1 });
  readonly accepted = new Set<string>();
  completed = 0;
  #epoch = 0;
  #owed = 0;

  constructor(seed: number) {
    this.prng = new Prng(seed);
  }

  start(): { life: Life; runner: LaneRunner<unknown>; started: Promise<void> } {
    const { prng } = this;
    const life = new Life(this.clock);
    const webhook = webhookOf({
      maxInFlight: 16,
      batch: { max: prng.pick([1, 3, 20]), lingerMs: prng.pick([0, 50]) },
      retryScheduleMs: [500, 2_000],
    });
    const runner = new LaneRunner({
      webhookId: 'hook',
      log: new SlowLog({
        log: this.log,
        life,
        delayMs: () => prng.pick([0, 1, 5, 40]),
        isFailing: () => false,
        onStored: () => {},
      }),
      clock: life.clock,
      epoch: ++this.#epoch,
      transport: new ScriptedTransport(life, (request) => this.#receive(request)),
      lane: new LogLane({
        webhook,
        campaigns: new Map([['c', campaignOf('c', { cap: { total: COUPONS } })]]),
        userAgent: 'Lapse/test',
        deliveriesMax: 60,
      }),
      observer: { ...silentObserver, campaignCompleted: () => this.completed++ },
      snapshotEvery: 15,
    });
    return { life, runner, started: runner.start() };
  }

  async owe(count: number): Promise<void> {
    const deliveries = Array.from({ length: count }, () =>
      deliveryOf(`u${this.#owed++}`, { expiresAtMs: BASE_MS + DAY_MS }),
    );
    await this.log.append('out.hook', encodeDeliveries(deliveries));
  }

  /** The receiver may accept a request of which the answer is lost; nothing fails for good. */
  #receive(request: OutgoingRequest): { afterMs: number; result: TransportResult } {
    const body = JSON.parse(new TextDecoder().decode(request.body)) as {
      profiles: { Identity: string }[];
    };
    const result = this.prng.pick([OK, OK, OK, status(500), TIMEOUT]);
    if (result === OK) for (const { Identity } of body.profiles) this.accepted.add(Identity);
    return { afterMs: this.prng.pick([1, 20, 400]), result };
  }
}

test.each(SEEDS)(
  'cap: exactly as many get a coupon, through 20 kills, with seed %i',
  async (seed) => {
    const run = new CouponRun(seed);
    const { prng, clock } = run;
    for (let kill = 0; kill < KILLS; kill++) {
      const { life, started } = run.start();
      started.catch(() => undefined);
      await run.owe(USERS / KILLS);
      await clock.runUntil(clock.now() + prng.pick([0, 3, 60, 400, 2_500]));
      life.crash();
      expect(run.accepted.size).toBeLessThanOrEqual(COUPONS);
    }
    const { runner, started } = run.start();
    await clock.runUntil(clock.now() + 600_000);
    await started;
    expect(runner.pendingCount).toBe(0);
    expect(run.accepted.size).toBe(COUPONS);
    const settled = envelopesOf(run.log, 'done.hook')
      .flatMap((bytes) => decodeRecords(bytes))
      .flatMap((record) => (record.kind === 'settled' ? [record] : []));
    const delivered = settled.filter(({ outcome }) => outcome === 'delivered');
    expect(
      new Set(delivered.flatMap(({ members }) => members.map(({ userId }) => userId))),
    ).toEqual(run.accepted);
    expect(settled.flatMap(({ members }) => members)).toHaveLength(USERS);
    expect(run.completed).toBeGreaterThan(0);
  },
);
