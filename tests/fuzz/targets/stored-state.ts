/** What Lapse keeps for itself beside the log's envelopes: checkpoints, lanes, marks. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  encodeFrame,
  frameBytes,
  readFrames,
} from '../../../connectors/logs/embedded/write-ahead-frame.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  writeCheckpoint,
} from '../../../engine/checkpoint/checkpoint-file.ts';
import { LapseError } from '../../../engine/errors/errors.ts';
import { decodeTrimMark } from '../../../engine/partition/trim-mark.ts';
import { decodeStoredSnapshot, encodeStoredSnapshot } from '../../../engine/sender/lane-topics.ts';
import { keyOf } from '../../../engine/state/key.ts';
import { decodeDeliveries, encodeDeliveries } from '../../../operators/delivery/codec.ts';
import {
  decodeRecords,
  decodeSnapshot,
  encodeRecords,
  encodeSnapshot,
} from '../../../operators/delivery/done-codec.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../../support/partition-harness.ts';
import { headLength } from '../mutation/mutator.ts';
import { demand, type FuzzTarget, type Outcome, stopsOrRuns } from '../target.ts';

const AT_MS = Date.parse('2026-01-05T09:00:00Z');
const FOOTER_BYTES = 16;
const FRAME_HEADER_BYTES = 24;

function checkpoint(): Checkpoint {
  const harness = new PartitionHarness();
  harness.define([campaignOf('a', inactionOf())], AT_MS);
  for (let i = 0; i < 5; i++) {
    harness.send({ userId: `u${i}`, properties: { cart: `c${i}` } }, AT_MS + i);
    harness.identify(`u${i}`, { email: `u${i}@example.com` }, AT_MS + i);
  }
  const { partition } = harness;
  const { aliases } = partition.state;
  for (const id of ['a1', 'a2']) {
    aliases.set(keyOf(id, true), { id: 'u1', isAnonymous: false }, AT_MS);
  }
  return {
    partition: 3,
    partitionCount: 8,
    offset: partition.offset,
    epoch: 1,
    pipeline: partition.pipeline.freeze(),
    state: partition.state.freeze(),
  };
}

/** A whole checkpoint as its file holds it. */
const whole = await fileOf(checkpoint());
const indexEnd = whole.length - FOOTER_BYTES;
const indexStart = indexEnd - whole.readUInt32LE(indexEnd);

async function fileOf(one: Checkpoint): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'lapse-fuzz-'));
  const path = join(folder, 'x');
  await writeCheckpoint(path, one);
  const bytes = readFileSync(path);
  rmSync(folder, { recursive: true });
  return bytes;
}

/** The sections, which are large, with another index, which is the input. */
function withIndex(index: Uint8Array): Buffer {
  const footer = Buffer.from(whole.subarray(indexEnd));
  footer.writeUInt32LE(index.length, 0);
  footer.writeUInt32LE(crc32(index), 4);
  return Buffer.concat([whole.subarray(0, indexStart), index, footer]);
}

function indexSeed(): Uint8Array {
  return whole.subarray(indexStart, indexEnd);
}

/** The index is forged: its numbers must fit together, and no state that comes of it may hang. */
function runIndex(input: Uint8Array): Outcome {
  const { pipeline, state, offset } = decodeCheckpoint('fuzz', withIndex(input));
  return stopsOrRuns(() => {
    const harness = new PartitionHarness();
    harness.restore(() => ({ pipeline, state, offset }));
    harness.send({ userId: 'u1', properties: { cart: 'c1' } }, AT_MS + 10);
    harness.tick(AT_MS + 10_000_000);
  });
}

/** Damage anywhere is noticed: the first four bytes say where, the rest is written there. */
function runDamage(input: Uint8Array): Outcome {
  const bytes = Buffer.from(whole);
  const at = input.length < 4 ? 0 : Buffer.from(input).readUInt32LE(0) % bytes.length;
  bytes.set(input.subarray(4, 4 + bytes.length - at), at);
  const isCut = input.length % 5 === 4;
  const damaged = isCut ? bytes.subarray(0, at) : bytes;
  const isWhole = !isCut && damaged.equals(whole);
  try {
    decodeCheckpoint('fuzz', damaged);
  } catch (error) {
    if (!(error instanceof LapseError)) throw error;
    demand(!isWhole, () => 'A whole checkpoint was refused.');
    return 'refused';
  }
  demand(isWhole, () => `Damage at ${at} went unnoticed.`);
  return 'accepted';
}

export const checkpointIndexes: FuzzTarget = {
  name: 'checkpoint-index',
  format: 'json',
  seeds: () => [indexSeed()],
  words: [
    'slabs',
    'chunks',
    'sections',
    'slotsUsed',
    'bytes',
    'crc',
    'dedupe',
    'pipeline',
    'rules',
  ],
  share: 0.15,
  open: () => ({ run: runIndex }),
};

export const checkpointDamage: FuzzTarget = {
  name: 'checkpoint-damage',
  format: 'bytes',
  seeds: () => [
    new Uint8Array(0),
    Buffer.alloc(4),
    Buffer.from('\u0010\u0001\0\0ab'),
    Buffer.alloc(40, 7),
    indexSeed().subarray(0, 400),
  ],
  share: 0.3,
  open: () => ({ run: runDamage }),
};

const facts = { attempt: 1, startedAtMs: AT_MS, answer: 503, durationMs: 12 } as const;
const members = [{ offset: 7, index: 0, id: 'msg_1', userId: 'u1' }];
const LANE_SEEDS: readonly Uint8Array[] = [
  encodeRecords([
    {
      kind: 'formed',
      webhookId: 'msg_2',
      members: [
        { offset: 7, index: 0 },
        { offset: 7, index: 1 },
      ],
    },
    {
      kind: 'retry',
      webhookId: 'msg_2',
      members: [{ offset: 7, index: 0 }],
      ...facts,
      retryAtMs: AT_MS,
      holdUntilMs: 0,
    },
    {
      kind: 'settled',
      webhookId: 'msg_1',
      campaignId: 'c',
      outcome: 'failed',
      reason: 'http-400',
      atMs: AT_MS,
      last: facts,
      members,
    },
    {
      kind: 'settled',
      webhookId: 'msg_1',
      campaignId: 'c',
      outcome: 'delivered',
      reason: '',
      atMs: AT_MS,
      members,
    },
  ]),
  encodeSnapshot({
    readTo: 9,
    open: [{ offset: 7, count: 3, settled: [0, 2] }],
    batches: [
      { webhookId: 'msg_2', attempts: 1, retryAtMs: AT_MS, members: [{ offset: 7, index: 1 }] },
    ],
    rateArrivalAtMs: AT_MS,
    holdUntilMs: 0,
    aloneUpTo: 0,
    isClean: false,
    caps: [{ campaignId: 'c', delivered: 3, day: 20_000, dayDelivered: 2 }],
  }),
  encodeDeliveries(
    [1, 2].map((i) => ({
      id: `msg_${i}`,
      campaignId: 'c',
      userId: `u${i}`,
      qualifiedAtMs: AT_MS,
      dueAtMs: AT_MS,
      expiresAtMs: AT_MS + 1,
      body: '{"Identity":"u"}',
    })),
  ),
];

const CODECS: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  records: (bytes) => encodeRecords(decodeRecords(bytes)),
  snapshot: (bytes) => encodeSnapshot(decodeSnapshot(bytes)),
  deliveries: (bytes) => encodeDeliveries(decodeDeliveries(bytes)),
  stored: (bytes) => encodeStoredSnapshot(decodeStoredSnapshot(bytes)),
};

/** `#records`, `#snapshot`, `#deliveries` or `#stored`, then msgpack, whose version is put before it. */
function runLane(input: Uint8Array): Outcome {
  const start = headLength(input);
  const name = Buffer.from(input.subarray(1, Math.max(1, start - 1))).toString();
  const again = Object.hasOwn(CODECS, name) ? CODECS[name]! : CODECS.records!;
  const bytes = Buffer.concat([Uint8Array.of(1), input.subarray(start)]);
  const once = again(bytes);
  // What was accepted is written in one way only.
  demand(Buffer.compare(again(once), once) === 0, () => 'What was read is written in two ways.');
  return 'accepted';
}

export const laneRecords: FuzzTarget = {
  name: 'lane-records',
  format: 'msgpack',
  seeds: () => [
    ...['records', 'snapshot', 'deliveries'].map((name, i) =>
      Buffer.concat([Buffer.from(`#${name}\n`), LANE_SEEDS[i]!.subarray(1)]),
    ),
    Buffer.concat([
      Buffer.from('#stored\n'),
      encodeStoredSnapshot({ doneOffset: 5, lane: LANE_SEEDS[1]! }).subarray(1),
    ]),
  ],
  open: () => ({ run: runLane }),
};

function runMark(input: Uint8Array): Outcome {
  const upTo = decodeTrimMark(input);
  demand(Number.isSafeInteger(upTo) && upTo >= 0, () => `A mark at ${upTo}.`);
  return 'accepted';
}

/** As a half of the file that is written ahead: frames from their count on, the rest forged. */
function runWriteAhead(input: Uint8Array): Outcome {
  const half = Buffer.alloc(Math.max(FRAME_HEADER_BYTES, Math.ceil((input.length + 12) / 8) * 8));
  half.set(input, 12);
  half.write('LWA1');
  half.writeUInt32LE(half.length, 8);
  half.writeUInt32LE(crc32(half.subarray(8)), 4);
  const { frames } = readFrames(half);
  const values = frames.flatMap(({ entries }) => entries.map(({ value }) => value.length));
  const bytes = values.reduce((sum, length) => sum + length, 0);
  demand(bytes <= half.length, () => `${bytes} bytes came out of a half of ${half.length}.`);
  return frames.length > 0 ? 'accepted' : 'refused';
}

function writeAheadSeed(count: number): Uint8Array {
  const entries = Array.from({ length: count }, (_, i) => ({
    topic: `in.${i}`,
    topicId: i,
    offset: i + 1,
    epoch: 0,
    value: new Uint8Array(40).fill(i),
  }));
  const frame = encodeFrame(Buffer.alloc(frameBytes(entries)), 1, entries);
  return frame.subarray(12);
}

export const writeAheads: FuzzTarget = {
  name: 'write-ahead',
  format: 'bytes',
  seeds: () => [0, 1, 3].map(writeAheadSeed),
  open: () => ({ run: runWriteAhead }),
};

export const trimMarks: FuzzTarget = {
  name: 'trim-mark',
  format: 'json',
  seeds: () => ['{"upTo":17}', '{"upTo":0}', '{"upTo":9007199254740991}'],
  words: ['upTo'],
  open: () => ({ run: runMark }),
};
