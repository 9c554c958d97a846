import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import type { Rule } from '../../operators/definitions.ts';
import { decodeDeliveries, encodeDeliveries } from '../../operators/delivery/codec.ts';
import {
  decodeRecords,
  decodeSnapshot,
  encodeRecords,
  encodeSnapshot,
} from '../../operators/delivery/done-codec.ts';
import type { LaneRecord } from '../../operators/delivery/lane-records.ts';
import { decodePart, encodePart, type MovedPart } from '../../operators/identity/parts.ts';
import { deliveryOf } from './delivery/lane-bench.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true });
const isCorrupt = expect.objectContaining({ code: 'ERR_ENVELOPE_CORRUPT' }) as Error;
const VERSION = 1;
const versioned = (value: unknown) => Buffer.concat([Uint8Array.of(VERSION), packr.pack(value)]);
const unversioned = (bytes: Uint8Array) => packr.unpack(bytes.subarray(1)) as unknown[];

/** The same list with one of its fields replaced, for every field. */
function spoiled(fields: readonly unknown[], value: unknown): unknown[][] {
  return fields.map((_, i) => fields.map((field, k) => (k === i ? value : field)));
}

const facts = { attempt: 1, startedAtMs: 5, answer: 503, durationMs: 2 } as const;
const position = { offset: 7, index: 0 };

describe('stored rows: a field of another kind is refused, whatever the checksum says', () => {
  test('lane records', () => {
    const records: readonly LaneRecord[] = [
      { kind: 'formed', webhookId: 'msg_1', members: [position] },
      {
        kind: 'retry',
        webhookId: 'w',
        members: [position],
        ...facts,
        retryAtMs: 9,
        holdUntilMs: 0,
      },
      {
        kind: 'settled',
        outcome: 'failed',
        ...{ webhookId: 'w', campaignId: 'c', reason: 'r', atMs: 5, last: facts },
        members: [{ ...position, id: 'msg_1', userId: 'u' }],
      },
    ];
    const whole = encodeRecords(records);
    expect(decodeRecords(whole)).toEqual(records);
    for (const row of unversioned(whole) as unknown[][]) {
      for (const wrong of spoiled(row, { a: 1 })) {
        expect(() => decodeRecords(versioned([wrong])), JSON.stringify(wrong)).toThrow(isCorrupt);
      }
    }
    for (const wrong of [
      7,
      null,
      [7],
      [null],
      [[]],
      [[3, 'w', []]],
      [[0, 'w', [7]]],
      [[0, 'w', ['7', 0]]],
    ]) {
      expect(() => decodeRecords(versioned(wrong)), JSON.stringify(wrong)).toThrow(isCorrupt);
    }
  });

  test('snapshots of lanes', () => {
    const snapshot = {
      readTo: 9,
      open: [{ offset: 7, count: 3, settled: [0, 2] }],
      batches: [{ webhookId: 'w', attempts: 1, retryAtMs: 5, members: [position] }],
      ...{ rateArrivalAtMs: 5.5, holdUntilMs: 0, aloneUpTo: 0, isClean: false },
      caps: [{ campaignId: 'c', delivered: 3, day: 20_000, dayDelivered: 2 }],
    };
    const whole = encodeSnapshot(snapshot);
    expect(decodeSnapshot(whole)).toEqual(snapshot);
    for (const wrong of spoiled(unversioned(whole), 'x')) {
      expect(() => decodeSnapshot(versioned(wrong)), JSON.stringify(wrong)).toThrow(isCorrupt);
    }
  });

  test('deliveries', () => {
    const deliveries = [deliveryOf('ann'), deliveryOf('zoë')];
    const whole = encodeDeliveries(deliveries);
    expect(decodeDeliveries(whole)).toEqual(deliveries);
    const columns = unversioned(whole);
    for (const value of ['x', [], [null, null], [9, 'x']]) {
      for (const wrong of spoiled(columns, value)) {
        expect(() => decodeDeliveries(versioned(wrong)), JSON.stringify(wrong)).toThrow(isCorrupt);
      }
    }
  });

  test('parts of a user that moves', () => {
    const to = { id: 'u', isAnonymous: false };
    const rule: Rule = { kind: 'action', on: { event: 'e' } };
    const identity = { campaignId: 'c', rule, publishedAtMs: 1, isDropped: false };
    const parts: readonly MovedPart[] = [
      { kind: 'end', to, token: 't' },
      { kind: 'cancel', to, rule: identity, match: 0, eventAtMs: 5, receivedAtMs: 6 },
      { kind: 'profile', to, names: ['a'], values: [1], saidAtMs: [5] },
      {
        kind: 'window',
        ...{ to, rule: identity, anchorAtMs: 5, extendedMs: 0, restarts: 0, dueAtMs: 6 },
        ...{ eventIdLo: 1, eventIdHi: 2, properties: { a: 1 } },
      },
    ];
    for (const part of parts) {
      const whole = encodePart(part);
      expect(decodePart(whole)).toEqual(part);
      for (const wrong of spoiled(packr.unpack(whole) as unknown[], { a: 1 })) {
        expect(() => decodePart(packr.pack(wrong)), JSON.stringify(wrong)).toThrow(isCorrupt);
      }
      for (let end = 0; end < whole.length; end++) {
        expect(() => decodePart(whole.subarray(0, end)), `${end} bytes`).toThrow(isCorrupt);
      }
    }
    for (const rule of ['{', 'null', '[]', '7']) {
      expect(() => decodePart(packr.pack([2, 'u', false, rule, 0, 5])), rule).toThrow(isCorrupt);
    }
    expect(() => decodePart(packr.pack([4, 'u', false, 't']))).toThrow(isCorrupt);
  });
});
