import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkTrail } from '../../../connectors/doors/nats/chunk-trail.ts';
import { covers } from '../../../connectors/doors/nats/event-stream.ts';
import { ReachProbe } from '../../../connectors/doors/nats/reach-probe.ts';
import { SourcePosition } from '../../../connectors/doors/nats/source-position.ts';
import { DeliveryCursor } from '../../../connectors/nats/delivery-cursor.ts';
import { Horizon } from '../../../engine/intake/horizon.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const START_MS = 1_700_000_000_000;
const microtasks = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe('delivery cursor', () => {
  test('reads both forms of the subject, whatever the numbers', () => {
    const count = fc.integer({ min: 1, max: 2 ** 48 });
    fc.assert(
      fc.property(
        count,
        count,
        fc.nat(),
        fc.nat(999_999),
        fc.boolean(),
        (s, c, pending, nanos, isNew) => {
          const stamp = `${START_MS}${String(nanos).padStart(6, '0')}`;
          const numbers = `1.${s}.${c}.${stamp}.${pending}`;
          const cursor = new DeliveryCursor();
          const reply = isNew
            ? `$JS.ACK._.ACCOUNT.STREAM.consumer.${numbers}.random`
            : `$JS.ACK.STREAM.consumer.${numbers}`;
          expect(cursor.read(reply)).toBe(true);
          expect([
            cursor.streamSequence,
            cursor.consumerSequence,
            cursor.storedAtMs,
            cursor.pending,
          ]).toEqual([s, c, START_MS, pending]);
        },
      ),
    );
  });

  test('leaves subjects alone that are not of JetStream', () => {
    expect(new DeliveryCursor().read('_INBOX.abc')).toBe(false);
    expect(new DeliveryCursor().read('')).toBe(false);
  });
});

describe('covers', () => {
  test.each([
    ['events.>', 'events.>', true],
    ['events.>', 'events.shop', true],
    ['events.>', 'events.*', true],
    ['>', 'events.>', true],
    ['events.*', 'events.shop', true],
    ['events.*', 'events.>', false],
    ['events.*', 'events', false],
    ['events.>', 'events', false],
    ['events.shop', 'events.*', false],
    ['events.a', 'events.a.b', false],
  ])('%s over %s: %s', (wide, narrow, is) => {
    expect(covers(wide, narrow)).toBe(is);
  });
});

describe('chunk trail', () => {
  test('the position is the end of the unbroken row, in whatever order chunks become durable', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }),
        fc.option(fc.nat(5)),
        async (order, failing) => {
          const durable: number[] = [];
          let failures = 0;
          const trail = new ChunkTrail({
            onDurable: ({ lastSequence }) => durable.push(lastSequence),
            onFailure: () => failures++,
          });
          const chunks = order.map(() => ChunkTrail.newChunk(() => undefined));
          chunks.forEach((chunk, i) => {
            chunk.lastSequence = 10 * (i + 1);
            chunk.acknowledgement.hold();
            trail.send(chunk);
          });
          for (const i of order) {
            chunks[i]!.acknowledgement.settle(i === failing ? new Error('full') : undefined);
          }
          await trail.idle();
          expect(durable).toEqual([...durable].sort((a, b) => a - b));
          expect(durable.at(-1) ?? 0).toBe(10 * (failing ?? order.length));
          expect(failures).toBe(failing === null ? 0 : 1);
        },
      ),
    );
  });
});

describe('reach probe', () => {
  function stage() {
    const clock = new ManualClock(START_MS);
    const horizon = new Horizon(clock);
    const questions: { answer: (sequence: number) => void; fail: () => void }[] = [];
    const door = horizon.join(() => probe.want());
    const probe: ReachProbe = new ReachProbe({
      clock,
      door,
      ask: () =>
        new Promise((resolve, reject) => {
          questions.push({
            answer: (consumerSequence) => resolve({ consumerSequence }),
            fail: () => reject(new Error('no answer')),
          });
        }),
    });
    return { clock, horizon, probe, door, questions };
  }

  test('an idle stream passes the instant of the question, and the door is not behind', async () => {
    const { horizon, probe, questions } = stage();
    probe.restart();
    questions[0]!.answer(0);
    await microtasks();
    expect([horizon.atMs, horizon.isCatchingUp]).toEqual([START_MS, false]);
  });

  test('nothing is passed before the last message that stood there has been taken', async () => {
    const { clock, horizon, probe, questions } = stage();
    probe.restart();
    questions[0]!.answer(3);
    await microtasks();
    clock.advanceTo(START_MS + 100);
    probe.taken(2);
    expect(horizon.atMs).toBe(Number.NEGATIVE_INFINITY);
    probe.taken(3);
    expect([horizon.atMs, horizon.isCatchingUp]).toEqual([START_MS, false]);
  });

  test('a long backlog is asked about again, until what is left is young', async () => {
    const { clock, horizon, probe, questions } = stage();
    probe.restart();
    questions[0]!.answer(1_000);
    await microtasks();
    clock.advanceTo(START_MS + 60_000);
    probe.taken(1_000);
    expect(horizon.isCatchingUp).toBe(true);
    // The one that was asked meanwhile is old as well by now, the next one is not.
    const asked = questions.length;
    questions.at(-1)!.answer(1_000);
    await microtasks();
    expect(horizon.isCatchingUp).toBe(true);
    expect(questions.length).toBe(asked + 1);
    questions.at(-1)!.answer(1_000);
    await microtasks();
    expect([horizon.atMs, horizon.isCatchingUp]).toEqual([START_MS + 60_000, false]);
  });

  test('a question without an answer is asked again', async () => {
    const { clock, horizon, probe, questions } = stage();
    probe.restart();
    questions[0]!.fail();
    await microtasks();
    clock.advanceTo(START_MS + 250);
    expect(questions.length).toBe(2);
    questions[1]!.answer(0);
    await microtasks();
    expect(horizon.isCatchingUp).toBe(false);
  });

  test('an answer about an earlier consumer says nothing', async () => {
    const { clock, horizon, probe, questions } = stage();
    probe.restart();
    probe.restart();
    questions[0]!.answer(0);
    await microtasks();
    expect(horizon.isCatchingUp).toBe(true);
    clock.advanceTo(START_MS + 5);
    questions[1]!.answer(0);
    await microtasks();
    expect(horizon.isCatchingUp).toBe(false);
  });

  test('a question that the server never answers does not keep a new consumer waiting', async () => {
    const { clock, horizon, probe, questions } = stage();
    probe.fellBehind();
    clock.advanceTo(START_MS + 500);
    probe.restart();
    expect(questions.length).toBe(2);
    questions[1]!.answer(0);
    await microtasks();
    expect([horizon.atMs, horizon.isCatchingUp]).toEqual([START_MS + 500, false]);
  });

  test('a wait in an idle stream ends with one question', async () => {
    const { clock, horizon, probe, questions } = stage();
    probe.restart();
    questions[0]!.answer(0);
    await microtasks();
    let ended = 0;
    horizon.wait(START_MS + 50, () => ended++);
    clock.advanceTo(START_MS + 60);
    expect([ended, questions.length]).toEqual([0, 2]);
    questions[1]!.answer(0);
    await microtasks();
    expect([ended, questions.length]).toEqual([1, 2]);
  });
});

describe('source position', () => {
  const CREATED = '2026-01-01T00:00:00Z';

  test('the latest one is there after a restart, and few are kept', async () => {
    const log = new MemoryLog({ partitionCount: 1 });
    const clock = new ManualClock(START_MS);
    const position = new SourcePosition(log, clock, 'EVENTS');
    expect(await position.load()).toBeUndefined();
    const last = 130;
    for (let sequence = 1; sequence <= last; sequence++) {
      position.set({ sequence, storedAtMs: START_MS, created: CREATED });
      if (sequence % 2 === 0) {
        clock.advanceTo(clock.now() + 1_000);
        await microtasks();
      }
    }
    await position.flush();
    const again = new SourcePosition(log, clock, 'EVENTS');
    expect(await again.load()).toEqual({ sequence: last, storedAtMs: START_MS, created: CREATED });
    const kept = (await log.tail('door.EVENTS')) - (await log.head('door.EVENTS'));
    expect(kept).toBeLessThan(50);
    expect(clock.timerCount).toBe(0);
  });

  test.each([
    '',
    '{',
    'null',
    '7',
    '{"sequence":1}',
    '{"sequence":-1,"storedAtMs":1,"created":""}',
  ])('a stored position %j is refused with a code', async (text) => {
    const log = new MemoryLog({ partitionCount: 1 });
    await log.append('door.EVENTS', new TextEncoder().encode(text));
    const position = new SourcePosition(log, new ManualClock(START_MS), 'EVENTS');
    await expect(position.load()).rejects.toMatchObject({ code: 'ERR_ENVELOPE_CORRUPT' });
  });
});
