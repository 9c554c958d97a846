import { expect, test } from 'vitest';
import { externalError, LapseError } from '../../../engine/errors/errors.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { type SenderObserver, silentObserver } from '../../../engine/sender/observer.ts';
import { Sender } from '../../../engine/sender/sender.ts';
import type { OutgoingRequest, TransportResult } from '../../../engine/sender/transport.ts';
import { encodeDeliveries } from '../../../operators/delivery/codec.ts';
import { decodeRecords } from '../../../operators/delivery/done-codec.ts';
import type { LaneDefinitions } from '../../../operators/delivery/lane-campaigns.ts';
import { LogLane } from '../../../operators/delivery/log-lane.ts';
import {
  BASE_MS,
  campaignsOf,
  deliveryOf,
  OK,
  status,
  TTL_MS,
  webhookOf,
} from '../../operators/delivery/lane-bench.ts';
import { envelopesOf, Life, ScriptedTransport, SimulatedClock } from './crash-bench.ts';

const QUIET_MS = 2;
const NEVER_MS = 10 ** 9;
const TURNS = 200;

interface Answer {
  readonly afterMs: number;
  readonly result: TransportResult;
}

/** A sender on a simulated clock, and what its observer heard. */
class SenderBench {
  readonly clock = new SimulatedClock(BASE_MS);
  readonly log: MemoryLog;
  readonly heard: string[] = [];
  readonly requests: OutgoingRequest[] = [];
  readonly sender: Sender<LaneDefinitions>;
  isLogAway = false;

  constructor(
    answer: (request: OutgoingRequest) => Answer = () => ({ afterMs: 0, result: OK }),
    options: {
      snapshotEvery?: number;
      doneRecordsKept?: number;
      log?: MemoryLog;
      epoch?: number;
      createLane?: (webhookId: string, definitions: LaneDefinitions) => LogLane;
    } = {},
  ) {
    this.log = options.log ?? new MemoryLog({ partitionCount: 1 });
    this.sender = new Sender({
      createLane: (_, definitions) => new LogLane({ ...definitions, userAgent: 'Lapse/test' }),
      ...options,
      log: this.log,
      clock: this.clock,
      epoch: options.epoch ?? 1,
      transport: new ScriptedTransport(new Life(this.clock), (request) => {
        this.requests.push(request);
        return answer(request);
      }),
      observer: this.#observer(),
    });
  }

  owe(webhookId: string, ...users: string[]): Promise<unknown> {
    const deliveries = users.map((user) => deliveryOf(user, { dueAtMs: this.clock.now() }));
    return this.log.append(`out.${webhookId}`, encodeDeliveries(deliveries));
  }

  /** Lets everything go on that needs no time to pass; a backlog takes many turns of the thread. */
  async runOut(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await this.clock.runUntil(this.clock.now());
  }

  /** Lets a promise that needs the clock come to its end. */
  async within(ms: number, promise: Promise<unknown>): Promise<void> {
    await this.clock.runUntil(this.clock.now() + ms);
    await promise;
  }

  #observer(): SenderObserver {
    return {
      ...silentObserver,
      attempt: (lane, { attempt }, result) => {
        const answer = 'error' in result ? result.error : result.status;
        this.heard.push(`${lane} attempt ${attempt} ${answer}`);
      },
      outcome: (lane, { userId, outcome, reason }) => {
        this.heard.push(`${lane} ${userId} ${reason ?? outcome}`);
      },
      triggerLatencyMs: (lane, campaignId, latencyMs) => {
        this.heard.push(`${lane} ${campaignId} after ${latencyMs} ms`);
      },
      logUnavailable: (lane) => this.heard.push(`${lane} waits for the log`),
      logAvailable: () => {},
      snapshotFailed: (lane) => this.heard.push(`${lane} stores no snapshot`),
      snapshotStored: () => {},
      laneFailed: (lane, error) => this.heard.push(`${lane} failed ${error.code}`),
      laneRemoved: (lane, pendingCount) => this.heard.push(`${lane} removed with ${pendingCount}`),
    };
  }
}

function lanesOf(...ids: string[]): ReadonlyMap<string, LaneDefinitions> {
  const webhooks = ids.map((id) => webhookOf({ id, url: `https://${id}.test/` }));
  return new Map(webhooks.map((webhook) => [webhook.id, { webhook, campaigns: campaignsOf('c') }]));
}

test('sender: tells of the attempt, the latency from qualification, and the outcome', async () => {
  const sentMs = QUIET_MS + 5;
  const bench = new SenderBench(() => ({
    afterMs: 20,
    result: {
      ...(OK as object),
      durationMs: 20,
      firstByteSentAtMs: BASE_MS + sentMs,
    } as TransportResult,
  }));
  await bench.owe('a', 'ann');
  await bench.sender.update(lanesOf('a'));
  await bench.clock.runUntil(BASE_MS + 100);
  expect(bench.heard).toEqual(['a attempt 1 200', `a c after ${sentMs} ms`, 'a ann delivered']);
});

test('sender: a receiver that hangs delays no other', async () => {
  const bench = new SenderBench(({ lane }) => ({
    afterMs: lane === 'dead' ? NEVER_MS : 0,
    result: OK,
  }));
  for (let i = 0; i < 200; i++) await bench.owe('dead', `d${i}`);
  await bench.owe('well', 'ann');
  await bench.sender.update(lanesOf('dead', 'well'));
  await bench.clock.runUntil(BASE_MS + QUIET_MS);
  expect(bench.heard).toContain('well ann delivered');
});

test('sender: a lane that cannot be read stops alone, and says so', async () => {
  const bench = new SenderBench();
  await bench.log.append('out.bad', new Uint8Array([99]));
  await bench.owe('good', 'ann');
  await bench.sender.update(lanesOf('bad', 'good'));
  await bench.clock.runUntil(BASE_MS + 100);
  expect(bench.heard.toSorted()).toEqual([
    'bad failed ERR_ENVELOPE_VERSION',
    'good ann delivered',
    'good attempt 1 200',
  ]);
});

test('sender: a lane that waits for the log takes the definitions that came meanwhile', async () => {
  const bench = new SenderBench();
  const { log } = bench;
  const tail = log.tail.bind(log);
  let isAway = true;
  log.tail = (topic) =>
    isAway ? Promise.reject(externalError('ERR_LOG_UNAVAILABLE', 'It is away.')) : tail(topic);
  await bench.owe('a', 'ann');
  const started = bench.sender.update(lanesOf('a'));
  const webhook = webhookOf({ id: 'a', url: 'https://moved.test/' });
  const moved = bench.sender.update(new Map([['a', { webhook, campaigns: campaignsOf('c') }]]));
  isAway = false;
  await bench.within(10_000, Promise.all([started, moved]));
  expect(bench.requests.map(({ url }) => url)).toEqual(['https://moved.test/']);
});

test('sender: a removed webhook keeps what it is owed, and gets it when it is back', async () => {
  let isWell = false;
  const bench = new SenderBench(() => ({ afterMs: 0, result: isWell ? OK : status(500) }));
  await bench.sender.update(lanesOf('a'));
  await bench.owe('a', 'ann');
  await bench.clock.runUntil(BASE_MS + 100);
  await bench.within(100, bench.sender.update(lanesOf()));
  expect(bench.heard).toEqual(['a attempt 1 500', 'a removed with 1']);
  expect(bench.sender.pendingCounts()).toEqual(new Map());
  isWell = true;
  await bench.sender.update(lanesOf('a'));
  await bench.clock.runUntil(BASE_MS + 10_000);
  expect(bench.heard.slice(2)).toEqual(['a attempt 2 200', 'a ann delivered']);
});

test('sender: new definitions reach the lane', async () => {
  const bench = new SenderBench();
  await bench.sender.update(lanesOf('a'));
  const webhook = webhookOf({ id: 'a', url: 'https://moved.test/' });
  await bench.sender.update(new Map([['a', { webhook, campaigns: campaignsOf('c') }]]));
  await bench.owe('a', 'ann');
  await bench.clock.runUntil(BASE_MS + 100);
  expect(bench.requests.map(({ url }) => url)).toEqual(['https://moved.test/']);
});

test('sender: a drain waits for what is in flight, starts nothing, and remembers it', async () => {
  const bench = new SenderBench(() => ({ afterMs: 400, result: OK }));
  await bench.sender.update(lanesOf('a'));
  await bench.owe('a', 'ann');
  await bench.clock.runUntil(BASE_MS + 100);
  const drained = bench.sender.drain();
  await bench.owe('a', 'bob');
  await bench.within(1_000, drained);
  expect(bench.heard).toEqual(['a attempt 1 200', 'a ann delivered']);

  const next = new SenderBench(undefined, { log: bench.log, epoch: 2 });
  await next.sender.update(lanesOf('a'));
  await next.clock.runUntil(BASE_MS + 100);
  expect(next.heard).toEqual(['a attempt 1 200', 'a bob delivered']);
});

test('sender: forgets deliveries and old records after a snapshot, never the snapshot', async () => {
  const kept = 30;
  const bench = new SenderBench(undefined, { snapshotEvery: 10, doneRecordsKept: kept });
  await bench.sender.update(lanesOf('a'));
  for (let i = 0; i < 200; i++) {
    await bench.owe('a', `u${i}`);
    await bench.clock.runUntil(bench.clock.now() + 10);
  }
  await bench.within(100, bench.sender.drain());
  expect(envelopesOf(bench.log, 'out.a')).toEqual([]);
  expect(envelopesOf(bench.log, 'snap.a')).toHaveLength(1);
  const records = envelopesOf(bench.log, 'done.a').flatMap((bytes) => decodeRecords(bytes));
  expect(records.length).toBeGreaterThanOrEqual(kept);
  expect(records.length).toBeLessThanOrEqual(kept + 10);
});

/** Calls back for each envelope that is read from a topic. */
function watchReads(log: MemoryLog, watched: string, onRead: (bytes: number) => void): void {
  const read = log.read.bind(log);
  log.read = (topic, after, onReadable) => {
    const reader = read(topic, after, onReadable);
    const poll = reader.poll.bind(reader);
    reader.poll = () => {
      const envelope = poll();
      if (topic === watched && envelope !== undefined) onRead(envelope.bytes.length);
      return envelope;
    };
    return reader;
  };
}

test('sender: leaves in the log what it has no room for', async () => {
  const bench = new SenderBench(() => ({ afterMs: NEVER_MS, result: OK }));
  let polled = 0;
  watchReads(bench.log, 'out.a', () => polled++);
  const envelopes = 300;
  for (let i = 0; i < envelopes; i++) {
    await bench.owe('a', ...Array.from({ length: 100 }, (_, n) => `u${i}-${n}`));
  }
  await bench.sender.update(lanesOf('a'));
  await bench.runOut();
  // The default room is 20,000 deliveries.
  const oneLookedAt = 1;
  expect(polled).toBe(200 + oneLookedAt);
});

test('sender: leaves in the log what it has no room for by its bytes', async () => {
  const bench = new SenderBench(() => ({ afterMs: NEVER_MS, result: OK }));
  let polled = 0;
  watchReads(bench.log, 'out.a', () => polled++);
  const bodyBytes = 200 * 1024;
  for (let i = 0; i < 200; i++) {
    const large = deliveryOf(`u${i}`, { body: JSON.stringify('x'.repeat(bodyBytes)) });
    await bench.log.append('out.a', encodeDeliveries([large]));
  }
  await bench.sender.update(lanesOf('a'));
  await bench.runOut();
  // The default room is 16 MiB.
  const oneLookedAt = 1;
  expect(polled).toBe(Math.ceil((16 * 2 ** 20) / bodyBytes) + oneLookedAt);
});

test('sender: a backlog is read in turns, between which the other lanes have theirs', async () => {
  const bench = new SenderBench(() => ({ afterMs: NEVER_MS, result: OK }));
  const turnBytesMax = 128 * 1024;
  let [inTurn, most, largest] = [0, 0, 0];
  watchReads(bench.log, 'out.a', (bytes) => {
    if (inTurn === 0) setImmediate(() => (inTurn = 0));
    inTurn += bytes;
    most = Math.max(most, inTurn);
    largest = Math.max(largest, bytes);
  });
  for (let i = 0; i < 15; i++) {
    await bench.owe('a', ...Array.from({ length: 1_000 }, (_, n) => `u${i}-${n}`));
  }
  await bench.sender.update(lanesOf('a'));
  await bench.runOut();
  expect(bench.sender.pendingCounts()).toEqual(new Map([['a', 15_000]]));
  expect(most).toBeLessThan(turnBytesMax + largest);
});

test('sender: what expires at one instant is recorded in envelopes that fit a message', async () => {
  const messageBytesMax = 2 ** 20;
  const bench = new SenderBench(() => ({ afterMs: NEVER_MS, result: OK }), { snapshotEvery: 10 });
  const count = 25_000;
  const name = 'a'.repeat(60);
  for (let i = 0; i < count / 1_000; i++) {
    await bench.owe('a', ...Array.from({ length: 1_000 }, (_, n) => `${name}-${i}-${n}`));
  }
  await bench.sender.update(lanesOf('a'));
  await bench.runOut();
  await bench.clock.runUntil(BASE_MS + TTL_MS + 1_000);
  await bench.runOut();
  const sizes = [];
  const settled = new Set<string>();
  for (const bytes of envelopesOf(bench.log, 'done.a')) {
    sizes.push(bytes.length);
    for (const record of decodeRecords(bytes)) {
      if (record.kind === 'settled') for (const { userId } of record.members) settled.add(userId);
    }
  }
  expect(Math.max(...sizes)).toBeLessThan(messageBytesMax);
  const inFlight = webhookOf().maxInFlight * webhookOf().batch.max;
  expect(settled.size).toBe(count - inFlight);
});

test('sender: a lane whose log is away at the start is started when it is back', async () => {
  const bench = new SenderBench();
  await bench.owe('a', 'ann');
  const { log } = bench;
  const tail = log.tail.bind(log);
  const awayUntilMs = BASE_MS + 5_000;
  log.tail = async (topic) => {
    if (bench.clock.now() < awayUntilMs) throw externalError('ERR_LOG_UNAVAILABLE', 'Away.');
    return tail(topic);
  };
  const started = bench.sender.update(lanesOf('a'));
  await bench.clock.runUntil(awayUntilMs - 1);
  expect(new Set(bench.heard)).toEqual(new Set(['a waits for the log']));
  await bench.within(2_000, started);
  expect(bench.heard.slice(-2)).toEqual(['a attempt 1 200', 'a ann delivered']);
});

test('sender: one that another has followed settles nothing any more and says so', async () => {
  const first = new SenderBench(() => ({ afterMs: 1_000, result: OK }));
  await first.sender.update(lanesOf('a'));
  await first.owe('a', 'ann');
  await first.clock.runUntil(BASE_MS + 100);
  const second = new SenderBench(undefined, { log: first.log, epoch: 2 });
  await second.sender.update(lanesOf('a'));
  await second.clock.runUntil(BASE_MS + 100);
  expect(second.heard).toEqual(['a attempt 1 200', 'a ann delivered']);
  await first.clock.runUntil(BASE_MS + 2_000);
  expect(first.heard).toEqual(['a attempt 1 200', 'a failed ERR_FENCED']);
  await first.sender.drain();
  const snapshots = envelopesOf(first.log, 'snap.a').length;
  await second.within(100, second.sender.drain());
  expect(snapshots).toBe(1);
  const records = envelopesOf(first.log, 'done.a').flatMap((bytes) => decodeRecords(bytes));
  expect(records.filter(({ kind }) => kind === 'settled')).toHaveLength(1);
});

test('sender: goes on without a snapshot that is too large for a message', async () => {
  const messageBytesMax = 2 ** 20;
  const log = new MemoryLog({ partitionCount: 1 });
  const append = log.append.bind(log);
  log.append = (topic, bytes, fence) => {
    if (bytes.length <= messageBytesMax) return append(topic, bytes, fence);
    return Promise.reject(new LapseError('ERR_LOG_TOO_LARGE', `${topic}: ${bytes.length} bytes.`));
  };
  class LargeLane extends LogLane {
    override snapshot(): Uint8Array {
      return new Uint8Array(messageBytesMax);
    }
  }
  const createLane = (_: string, definitions: LaneDefinitions) =>
    new LargeLane({ ...definitions, userAgent: 'Lapse/test' });
  const bench = new SenderBench(undefined, { snapshotEvery: 10, log, createLane });
  await bench.sender.update(lanesOf('a'));
  const users = Array.from({ length: 50 }, (_, i) => `u${i}`);
  for (const user of users) {
    await bench.owe('a', user);
    await bench.clock.runUntil(bench.clock.now() + 10);
  }
  await bench.within(100, bench.sender.drain());
  const delivered = users.map((user) => `a ${user} delivered`);
  expect(bench.heard.filter((line) => line.endsWith('delivered'))).toEqual(delivered);
  expect(bench.heard.filter((line) => line.includes('failed'))).toEqual([]);
  expect(envelopesOf(log, 'snap.a')).toEqual([]);
});
