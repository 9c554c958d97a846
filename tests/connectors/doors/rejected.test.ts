import { describe, expect, test } from 'vitest';
import { REJECTED_TOPIC, RejectedStore, readRejected } from '../../../connectors/doors/rejected.ts';
import { MemoryLog, type MemoryLogOptions } from '../../../engine/log/memory-log.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const NOW_MS = 1_700_000_000_000;
const refused = { code: 'ERR_EVENT_USER', message: 'An event must have a user.' };

function storeOf(options: Partial<MemoryLogOptions> & Record<string, unknown> = {}) {
  const log = new MemoryLog({ partitionCount: 1, ...options });
  const store = new RejectedStore({ log, clock: new ManualClock(NOW_MS), ...options });
  return { log, store };
}

async function keptOf(log: MemoryLog) {
  return (await readRejected(log)).envelopes.flatMap(({ records }) => records);
}

describe('rejected store', () => {
  test('refused input is kept with its bytes and counted by door and code', async () => {
    const { log, store } = storeOf();
    store.add('http', 3, refused, Buffer.from('{"a":1}'));
    const older = { ...refused, code: 'ERR_EVENT_JSON' };
    store.add('nats', 0, older, Uint8Array.of(0xff), NOW_MS - 60_000);
    await store.idle();
    expect(await keptOf(log)).toEqual([
      {
        atMs: NOW_MS,
        door: 'http',
        index: 3,
        ...refused,
        bytes: new Uint8Array(Buffer.from('{"a":1}')),
        isCut: false,
      },
      expect.objectContaining({
        // A backlog was received long before it is read.
        atMs: NOW_MS - 60_000,
        door: 'nats',
        code: 'ERR_EVENT_JSON',
        bytes: Uint8Array.of(0xff),
      }),
    ]);
    expect([...store.countsOf('http')]).toEqual([['ERR_EVENT_USER', 1]]);
    expect([...store.countsOf('nats')]).toEqual([['ERR_EVENT_JSON', 1]]);
  });

  test('bytes beyond the limit are cut, and the record says so', async () => {
    const recordBytesMax = 10;
    const { log, store } = storeOf({ recordBytesMax });
    store.add('http', 0, refused, Buffer.alloc(recordBytesMax + 1));
    await store.idle();
    expect(await keptOf(log)).toMatchObject([
      { bytes: new Uint8Array(recordBytesMax), isCut: true },
    ]);
  });

  test('the oldest go when there are more than the most, also after a restart', async () => {
    const recordsMax = 250;
    const { log, store } = storeOf({ recordsMax });
    for (let i = 0; i < 1_000; i++) store.add('http', i, refused, Buffer.alloc(1));
    await store.idle();
    const kept = await keptOf(log);
    expect(kept.length).toBeGreaterThanOrEqual(recordsMax);
    expect(kept.length).toBeLessThan(recordsMax + 100);
    expect(kept.at(-1)!.index).toBe(999);
    const next = new RejectedStore({ log, clock: new ManualClock(NOW_MS), recordsMax });
    await next.open();
    for (let i = 0; i < 500; i++) next.add('http', i, refused, Buffer.alloc(1));
    await next.idle();
    expect((await keptOf(log)).length).toBeLessThan(recordsMax + 100);
  });

  test('a flood is counted in full and kept as far as the memory for it reaches', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { log, store } = storeOf({ waitingBytesMax: 100_000, beforeStore: () => held });
    const flood = 10_000;
    for (let i = 0; i < flood; i++) store.add('nats', 0, refused, Buffer.alloc(1_000));
    expect(store.countsOf('nats').get(refused.code)).toBe(flood);
    release();
    await store.idle();
    expect((await keptOf(log)).length + store.notKept).toBe(flood);
    expect(store.notKept).toBeGreaterThan(flood - 100);
  });

  test('a log that fails loses the records, says how many, and stops nothing', async () => {
    let failures = 1;
    const { log, store } = storeOf({
      beforeStore: () => {
        if (failures-- > 0) throw new Error('the disk is full');
      },
    });
    store.add('http', 0, refused, Buffer.alloc(1));
    await store.idle();
    store.add('http', 1, refused, Buffer.alloc(1));
    await store.idle();
    expect(store.notKept).toBe(1);
    expect((await keptOf(log)).map(({ index }) => index)).toEqual([1]);
  });

  test.each([[[0x93]], [[0xc1]], [[0x07]], [[0x91, 0x07]], [[0x91, 0x80]], [[]]])(
    'an envelope of bytes %j is refused with a code',
    async (bytes) => {
      const { log } = storeOf();
      await log.append(REJECTED_TOPIC, Uint8Array.from(bytes));
      await expect(readRejected(log)).rejects.toMatchObject({ code: 'ERR_ENVELOPE_CORRUPT' });
    },
  );
});
