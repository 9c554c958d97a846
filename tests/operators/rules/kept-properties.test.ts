import { describe, expect, test } from 'vitest';
import { EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { EnvelopeWriter } from '../../../engine/envelope/envelope-writer.ts';
import { PartitionState } from '../../../engine/partition/partition-state.ts';
import { keyOf } from '../../../engine/state/key.ts';
import { KeptProperties } from '../../../operators/rules/inaction/kept-properties.ts';
import { anEvent } from '../../engine/intake/intake-records.ts';

const NOW_MS = Date.parse('2026-01-05T09:00:00Z');
const SHAPES_MAX = 60_000;
const RULE = 0;

/** Names that mean something to JavaScript or to a writer of JSON, as an event may bring them. */
const properties = JSON.parse(
  '{"toJSON":"x","a":{"toJSON":1,"b":[{"toJSON":null}]},"__proto__":{"c":1},"constructor":0,"d":{"constructor":1,"toJSON":"gold"},"7":-1.5}',
) as Record<string, unknown>;

function stage(shapes: number) {
  const state = new PartitionState({
    deadlines: { dueAtMs: (_rule, anchorAtMs) => anchorAtMs + 1 },
  });
  for (let i = 0; i < shapes; i++) state.shapes.numberOf([`filler${i}`]);
  return { state, kept: new KeptProperties(state) };
}

function envelope(): EnvelopeReader {
  const writer = new EnvelopeWriter();
  writer.addEvent(anEvent({ properties }), NOW_MS);
  const reader = new EnvelopeReader();
  reader.load(writer.finish());
  return reader;
}

describe.each([
  ['a numbered shape', 0],
  ['a shape of two bytes', 300],
  ['more shapes than are numbered', SHAPES_MAX],
])('kept properties: names are data, with %s', (_what, shapes) => {
  const key = keyOf('u1', false);
  const opened = { anchorAtMs: NOW_MS, eventIdLo: 1, eventIdHi: 2, match: 0, nowMs: NOW_MS };

  test.each(['of a record', 'decoded'] as const)('%s', (from) => {
    const { state, kept } = stage(shapes);
    const bytes =
      from === 'of a record' ? kept.keep(envelope(), 0) : kept.keepProperties(key, properties);
    const slot = state.windows.open(key, RULE, opened, bytes!);
    const back = kept.propertiesOf(slot);
    expect(JSON.stringify(Object.entries(back))).toBe(JSON.stringify(Object.entries(properties)));
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
  });
});
