/** What goes between partitions when ids join: parts of a user's state, leaves, claims, aliases. */

import { RecordKind } from '../../../engine/envelope/records.ts';
import { LapseError } from '../../../engine/errors/errors.ts';
import { AliasTable } from '../../../engine/state/alias-table.ts';
import { Arena } from '../../../engine/state/arena.ts';
import { keyOf } from '../../../engine/state/key.ts';
import { decodePart, encodePart, type MovedPart } from '../../../operators/identity/parts.ts';
import { campaignOf, inactionOf } from '../../support/partition-harness.ts';
import { headLength } from '../mutation/mutator.ts';
import { demand, type FuzzTarget, type Outcome, stopsOrRuns } from '../target.ts';
import { partitionOf, stored } from './envelopes.ts';

const AT_MS = Date.parse('2026-01-05T09:00:00Z');
const to = { id: 'u1', isAnonymous: false };
const { id: campaignId, rule } = campaignOf('a', inactionOf());
const identity = { campaignId, rule, publishedAtMs: AT_MS, isDropped: false };

const PARTS: readonly MovedPart[] = [
  {
    kind: 'window',
    to,
    rule: identity,
    anchorAtMs: AT_MS,
    extendedMs: 5,
    restarts: 1,
    dueAtMs: AT_MS + 600_000,
    eventIdLo: 7,
    eventIdHi: 2 ** 32 - 1,
    properties: { cart: 'c1', n: 49.9, deep: { a: [1, null] } },
  },
  { kind: 'profile', to, names: ['email', 'age'], values: ['a@b', 31], saidAtMs: [AT_MS, AT_MS] },
  { kind: 'cancel', to, rule: identity, match: 0, eventAtMs: AT_MS, receivedAtMs: AT_MS },
  { kind: 'begin', to: { id: 'a1', isAnonymous: true }, joinedAtMs: 1_767_603_600_000 },
  { kind: 'end', to: { id: 'a1', isAnonymous: true }, token: 'k3-1 chain' },
];

/** What is read is written again as it was; a partition that gets it goes on or stops. */
function runPart(input: Uint8Array): Outcome {
  const part = decodePart(input);
  return stopsOrRuns(() => {
    // Also on its way to another partition, where what is nested too deep for that stops it.
    const again = encodePart(part);
    const isSame = Buffer.compare(encodePart(decodePart(again)), again) === 0;
    demand(isSame, () => 'A part that is sent on is another one.');
    const partition = partitionOf();
    partition.begin(
      stored(2, (writer) => {
        writer.addPlain(RecordKind.moved, input, AT_MS);
        writer.addTick(AT_MS + 10_000_000);
      }),
    );
    partition.run(() => false);
  });
}

export const movedParts: FuzzTarget = {
  name: 'moved-part',
  format: 'msgpack',
  seeds: () => PARTS.map(encodePart),
  words: ['inaction', 'action', '{"campaignId":"a"}', JSON.stringify(identity)],
  share: 0.7,
  open: () => ({ run: runPart }),
};

/** `#leave` or `#claim`, then the record's JSON; whatever is read, the partition goes on. */
function runRecord(input: Uint8Array): Outcome {
  const start = headLength(input);
  const kind = Buffer.from(input.subarray(0, start)).includes('claim')
    ? RecordKind.claim
    : RecordKind.leave;
  const partition = partitionOf();
  partition.begin(
    stored(2, (writer) => {
      writer.addPlain(kind, input.subarray(start), AT_MS);
      writer.addTick(AT_MS + 1);
    }),
  );
  partition.run(() => false);
  for (const alias of partition.state.aliases.entries()) {
    demand(typeof alias.to.id === 'string', () => 'An alias of nobody.');
  }
  return 'accepted';
}

export const partitionRecords: FuzzTarget = {
  name: 'partition-record',
  format: 'json',
  seeds: () => [
    `#leave\n${JSON.stringify({ token: 't-1', from: { id: 'a1', isAnonymous: true }, to, joinedAtMs: AT_MS })}`,
    '#claim\n{"epoch":0}',
    '#claim\n{"epoch":3}',
  ],
  words: ['token', 'from', 'to', 'joinedAtMs', 'isAnonymous', 'epoch'],
  share: 0.3,
  open: () => ({ run: runRecord }),
};

const HEAD_BYTES = 8;

function aliasSeed(): Uint8Array {
  const arena = new Arena();
  const table = new AliasTable(arena);
  for (const id of ['a1', 'é'.repeat(100)]) table.set(keyOf(id, true), to, AT_MS);
  const [words] = table.freeze().slabs;
  const { chunks, end } = arena.freeze();
  const places = Uint32Array.of(words!.at(words!.length / 2)!, words!.at(words!.length / 2 + 1)!);
  return Buffer.concat([new Uint8Array(places.buffer), chunks[0]!.subarray(8, end)]);
}

/** Where two aliases lie in the arena (8 bytes), then what the arena holds. */
function runAliases(input: Uint8Array): Outcome {
  const arena = new Arena();
  const table = new AliasTable(arena);
  for (const id of ['a1', 'a2']) table.set(keyOf(id, true), to, AT_MS);
  const { slabs, slotsUsed } = table.freeze();
  const words = slabs[0]!.slice();
  const places = Buffer.alloc(HEAD_BYTES);
  places.set(input.subarray(0, HEAD_BYTES));
  for (let i = 0; i < 2; i++) words[words.length / 2 + i] = places.readUInt32LE(4 * i);
  const before = arena.freeze();
  const chunk = before.chunks[0]!.slice();
  chunk.set(input.subarray(HEAD_BYTES, HEAD_BYTES + chunk.length - 8), 8);
  const restored = new Arena();
  restored.restore({ ...before, chunks: [chunk], end: Math.min(chunk.length, 8 + input.length) });
  const again = new AliasTable(restored);
  try {
    again.restore({ slabs: [words], slotsUsed });
  } catch (error) {
    if (error instanceof LapseError) return 'refused';
    throw error;
  }
  again.get(keyOf('a1', true));
  for (const { from, to: whom } of again.entries()) {
    demand(from.id.length <= chunk.length && whom.id.length <= chunk.length, () => 'A long id.');
  }
  return 'accepted';
}

export const aliasSections: FuzzTarget = {
  name: 'alias-section',
  format: 'bytes',
  seeds: () => [aliasSeed()],
  words: ['a1', 'u1', '\u0000\u0001', '\u0005'],
  open: () => ({ run: runAliases }),
};
