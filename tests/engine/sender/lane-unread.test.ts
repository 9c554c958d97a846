import { expect, test } from 'vitest';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { Sender } from '../../../engine/sender/sender.ts';
import type { Transport, TransportResult } from '../../../engine/sender/transport.ts';
import { encodeDeliveries } from '../../../operators/delivery/codec.ts';
import type { LaneDefinitions } from '../../../operators/delivery/lane-campaigns.ts';
import { LogLane } from '../../../operators/delivery/log-lane.ts';
import {
  BASE_MS,
  campaignsOf,
  deliveryOf,
  OK,
  webhookOf,
} from '../../operators/delivery/lane-bench.ts';
import { SimulatedClock } from './crash-bench.ts';

const ROOM = 10;
const AN_ENVELOPE = 4;
/** Envelopes that a lane takes until it has no room: the one begun is taken in whole. */
const TAKEN = Math.ceil(ROOM / AN_ENVELOPE);
const TURNS = 20;

/** A sender whose lanes have little room, and whose receiver answers when it is told to. */
class UnreadBench {
  readonly clock = new SimulatedClock(BASE_MS);
  readonly log: MemoryLog;
  readonly sender: Sender<LaneDefinitions>;
  #answers: ((result: TransportResult) => void)[] = [];
  #isWell = false;
  #users = 0;

  constructor(log?: MemoryLog, epoch = 1) {
    this.log = log ?? new MemoryLog({ partitionCount: 1, now: () => this.clock.now() });
    const transport: Transport = {
      send: () =>
        this.#isWell
          ? Promise.resolve(OK)
          : new Promise((resolve) => {
              this.#answers.push(resolve);
            }),
    };
    this.sender = new Sender({
      log: this.log,
      clock: this.clock,
      epoch,
      transport,
      createLane: (_, definitions) =>
        new LogLane({ ...definitions, userAgent: 'Lapse/test', deliveriesMax: ROOM }),
    });
  }

  async start(...webhookIds: string[]): Promise<void> {
    const webhooks = webhookIds.map((id) => webhookOf({ id, url: `https://${id}.test/` }));
    const campaigns = campaignsOf('c');
    await this.sender.update(new Map(webhooks.map((one) => [one.id, { webhook: one, campaigns }])));
    await this.runOut();
  }

  async owe(webhookId: string, envelopes: number): Promise<void> {
    for (let i = 0; i < envelopes; i++) {
      const users = Array.from({ length: AN_ENVELOPE }, () => `u${++this.#users}`);
      const deliveries = users.map((user) => deliveryOf(user, { dueAtMs: this.clock.now() }));
      await this.log.append(`out.${webhookId}`, encodeDeliveries(deliveries));
    }
    await this.runOut();
  }

  /** The receiver answers from now on. */
  async recover(): Promise<void> {
    this.#isWell = true;
    for (const answer of this.#answers.splice(0)) answer(OK);
    await this.runOut();
  }

  async pass(ms: number): Promise<void> {
    await this.clock.runUntil(this.clock.now() + ms);
  }

  async runOut(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await this.pass(0);
  }

  unreadOf(webhookId: string) {
    return this.sender.lookAtUnread().get(webhookId);
  }
}

const NOTHING = { count: 0, ageMs: 0 };

test('unread: nothing, while a lane has room', async () => {
  const bench = new UnreadBench();
  await bench.start('a');
  expect(bench.unreadOf('a')).toEqual(NOTHING);
  await bench.owe('a', TAKEN);
  expect(bench.sender.pendingCounts().get('a')).toBe(TAKEN * AN_ENVELOPE);
  expect(bench.unreadOf('a')).toEqual(NOTHING);
});

test('unread: what comes behind a lane without room, with the age of the oldest', async () => {
  const [before, between, after] = [2, 3, 5];
  const bench = new UnreadBench();
  await bench.start('a', 'b');
  await bench.owe('a', TAKEN);
  await bench.pass(1_000);
  await bench.owe('a', before);
  await bench.pass(200);
  await bench.owe('a', between);
  expect(bench.unreadOf('a')).toEqual({ count: (before + between) * AN_ENVELOPE, ageMs: 200 });
  await bench.pass(50);
  await bench.owe('a', after);
  const all = before + between + after;
  expect(bench.unreadOf('a')).toEqual({ count: all * AN_ENVELOPE, ageMs: 250 });
  expect(bench.unreadOf('b')).toEqual(NOTHING);
});

test('unread: less with each envelope that is taken, nothing when all are', async () => {
  const more = 7;
  const bench = new UnreadBench();
  await bench.start('a');
  await bench.owe('a', TAKEN + more);
  expect(bench.unreadOf('a')?.count).toBe(more * AN_ENVELOPE);
  const total = (TAKEN + more) * AN_ENVELOPE;
  await bench.recover();
  // Batches linger, so that they leave one after the other.
  const seen = [];
  for (let i = 0; i < 20; i++) {
    const unread = bench.unreadOf('a')?.count ?? 0;
    const pending = bench.sender.pendingCounts().get('a') ?? 0;
    expect(unread + pending).toBeLessThanOrEqual(total);
    seen.push(unread);
    await bench.pass(50);
  }
  expect(seen).toEqual(seen.toSorted((a, b) => b - a));
  expect(bench.unreadOf('a')).toEqual(NOTHING);
  expect(bench.sender.pendingCounts().get('a')).toBe(0);
  // And again from the beginning.
  await bench.owe('a', 1);
  expect(bench.unreadOf('a')).toEqual(NOTHING);
});

test('unread: what stood there before the start, too', async () => {
  const more = 6;
  const first = new UnreadBench();
  await first.start('a');
  await first.owe('a', TAKEN + more);
  const next = new UnreadBench(first.log, 2);
  await next.start('a');
  expect(next.unreadOf('a')?.count).toBe(more * AN_ENVELOPE);
});

test('unread: an envelope that cannot be read stops the lane when it comes to it, not before', async () => {
  const bench = new UnreadBench();
  await bench.start('a');
  await bench.owe('a', TAKEN + 1);
  await bench.log.append('out.a', new Uint8Array([99]));
  await bench.owe('a', 1);
  expect(bench.unreadOf('a')?.count).toBe(2 * AN_ENVELOPE);
  expect(bench.sender.pendingCounts().get('a')).toBe(TAKEN * AN_ENVELOPE);
  await bench.pass(50);
  expect(bench.unreadOf('a')?.count).toBe(2 * AN_ENVELOPE);
});
