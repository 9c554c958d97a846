import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ENVELOPE_RECORDS_MAX } from '../../../engine/envelope/envelope-layout.ts';
import { EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { OutputLanes } from '../../../engine/partition/output-lanes.ts';
import {
  decodePart,
  encodeMoves,
  encodePart,
  type MovedPart,
  type MoveOutput,
  moveBytes,
  movedPart,
} from '../../../operators/identity/parts.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const to = fc.record({ id: fc.string({ minLength: 1 }), isAnonymous: fc.boolean() });
const rule = fc.record({ campaignId: fc.string(), rule: fc.constant({ kind: 'inaction' }) });
const word = fc.nat({ max: 2 ** 32 - 1 });
const timeMs = fc.integer({ min: 0, max: 4e12 });
// msgpack has no −0, nor has the JSON of a webhook.
const double = fc.double({ noNaN: true }).map((number) => number + 0);
const value = fc.oneof(fc.string(), double, fc.boolean(), fc.constant(null));
const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString'));

const part = fc.oneof(
  fc
    .record({
      to,
      rule,
      words: fc.tuple(word, word),
      timeMs,
      pairs: fc.array(fc.tuple(name, value)),
    })
    .map(({ to, rule, words, timeMs, pairs }) => ({
      ...{ kind: 'window', to, rule, anchorAtMs: timeMs, extendedMs: 5, restarts: 2 },
      ...{
        dueAtMs: timeMs + 10,
        eventIdLo: words[0],
        eventIdHi: words[1],
        properties: Object.fromEntries(pairs),
      },
    })),
  fc
    .record({ to, timeMs, pairs: fc.array(fc.tuple(name, value)) })
    .map(({ to, timeMs, pairs }) => ({
      ...{ kind: 'profile', to, names: pairs.map(([first]) => first) },
      ...{ values: pairs.map(([, second]) => second), saidAtMs: pairs.map(() => timeMs) },
    })),
  fc.record({
    ...{ kind: fc.constant('cancel'), to, rule, match: word },
    ...{ eventAtMs: timeMs, receivedAtMs: timeMs },
  }),
  fc.record({ kind: fc.constant('end'), to, token: fc.string() }),
  fc.record({ kind: fc.constant('begin'), to, joinedAtMs: fc.nat() }),
) as unknown as fc.Arbitrary<MovedPart>;

test('a moved part arrives as it left, whatever its names are', () => {
  fc.assert(
    fc.property(part, (sent) => {
      expect(decodePart(encodePart(sent))).toEqual(sent);
    }),
  );
});

test('moves that wait for one partition leave in envelopes of no more records than they hold', async () => {
  const count = 3 * ENVELOPE_RECORDS_MAX;
  const log = new MemoryLog({ partitionCount: 1 });
  const lanes = new OutputLanes({
    log,
    clock: new ManualClock(0),
    partition: 0,
    epoch: 1,
    encode: (_topic, outputs) => encodeMoves(outputs as readonly MoveOutput[]),
    bytesOf: (_topic, output) => moveBytes(output as MoveOutput),
    onRoom: () => undefined,
    onFailure: (error) => expect.unreachable(String(error)),
  });
  const tokens = Array.from({ length: count }, (_, i) => `t${i}`);
  for (const [i, token] of tokens.entries()) {
    const to = { id: 'u', isAnonymous: false };
    lanes.add('in.0', movedPart({ kind: 'end', to, token }, 0), i + 1, 0);
  }
  await lanes.drained();
  const arrived: string[] = [];
  const reader = log.read('in.0', 0, () => undefined);
  const envelope = new EnvelopeReader();
  for (let one = reader.poll(); one !== undefined; one = reader.poll()) {
    envelope.load(one.bytes);
    expect(envelope.count).toBeLessThanOrEqual(ENVELOPE_RECORDS_MAX);
    for (let i = 0; i < envelope.count; i++) {
      const moved = decodePart(envelope.plainBodyOf(i));
      if (moved.kind === 'end') arrived.push(moved.token);
    }
  }
  expect(arrived).toEqual(tokens);
});
