/** Envelopes of the log, damaged and forged: a forged one has the checksum of its content. */
import {
  ENVELOPE_MAGIC,
  ENVELOPE_VERSION,
  envelopeChecksum,
  HEADER,
} from '../../../engine/envelope/envelope-layout.ts';
import { EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { EnvelopeWriter } from '../../../engine/envelope/envelope-writer.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { LapseError } from '../../../engine/errors/errors.ts';
import { Partition } from '../../../engine/partition/partition.ts';
import { campaignCounters } from '../../../operators/campaign-counters.ts';
import { campaignPipeline } from '../../../operators/campaign-pipeline.ts';
import { campaignOf, definitionsOf, inactionOf } from '../../support/partition-harness.ts';
import { demand, type FuzzRunner, type FuzzTarget, type Outcome, stopsOrRuns } from '../target.ts';
import { EVENTS } from './event-seeds.ts';

const AT_MS = Date.parse('2026-01-05T09:00:00Z');

function fill(writer: EnvelopeWriter, count: number): void {
  for (let i = 0; i < count; i++) {
    const properties = { ...EVENTS[i % EVENTS.length], cart: `c${i % 3}` };
    const kind = i % 7 === 6 ? RecordKind.identify : RecordKind.track;
    const name = kind === RecordKind.identify ? '' : i % 2 === 0 ? 'did' : 'without';
    const rest = { isAnonymous: i % 5 === 0, eventAtMs: AT_MS + i, flags: 0, messageId: `m${i}` };
    writer.addEvent({ kind, userId: `u${i % 4}`, name, properties, ...rest }, AT_MS + i);
  }
}

function envelopeSeeds(): Uint8Array[] {
  const writer = new EnvelopeWriter();
  return [1, 4, 40].map((count) => {
    fill(writer, count);
    writer.addTick(AT_MS + count + 700_000);
    return writer.finish();
  });
}

/** With everything in the header that says whether the bytes are whole. */
function forged(input: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.max(input.length, HEADER.bytes));
  bytes.set(input);
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER.magic, ENVELOPE_MAGIC, true);
  view.setUint16(HEADER.version, ENVELOPE_VERSION, true);
  view.setUint32(HEADER.byteLength, bytes.length, true);
  view.setUint32(HEADER.crc, envelopeChecksum(bytes), true);
  return bytes;
}

/** Reads all there is; @throws LapseError */
function readAll(reader: EnvelopeReader, bytes: Uint8Array): void {
  reader.load(bytes);
  for (let i = 0; i < reader.count; i++) {
    demand(Number.isFinite(reader.receivedAtMs(i)), () => 'A time of receipt that is none.');
    if (reader.kind[i]! < RecordKind.tick) {
      demand(typeof reader.names[reader.name[i]!] === 'string', () => 'A name that is none.');
      reader.userIdOf(i);
      const properties = reader.propertiesOf(i);
      demand(Object.getPrototypeOf(properties) === Object.prototype, () => 'A prototype was set.');
    } else if (reader.kind[i] !== RecordKind.tick) reader.jsonOf(i);
  }
}

/** Damaged bytes must be noticed; forged ones must be refused or be readable to the end. */
class EnvelopeRunner implements FuzzRunner {
  readonly #reader = new EnvelopeReader();

  run(input: Uint8Array): Outcome {
    try {
      readAll(this.#reader, input);
      return 'accepted';
    } catch (error) {
      if (!(error instanceof LapseError)) throw error;
    }
    readAll(this.#reader, forged(input));
    return 'accepted';
  }
}

export const envelopes: FuzzTarget = {
  name: 'envelopes',
  format: 'bytes',
  seeds: envelopeSeeds,
  share: 1.5,
  open: () => new EnvelopeRunner(),
};

export function partitionOf(): Partition {
  const partition = new Partition({
    partitionCount: 8,
    createPipeline: campaignPipeline({ counters: campaignCounters() }),
    onOutput: () => undefined,
  });
  const rule = inactionOf({ match: { did: 'cart', without: 'cart' } });
  const definitions = definitionsOf([campaignOf('a', inactionOf()), campaignOf('b', rule)]);
  partition.begin(
    stored(1, (writer) =>
      writer.addJson(RecordKind.control, { type: 'definitions', definitions }, AT_MS),
    ),
  );
  partition.run(() => false);
  return partition;
}

export function stored(offset: number, write: (writer: EnvelopeWriter) => void) {
  const writer = new EnvelopeWriter();
  write(writer);
  return { offset, storedAtMs: 0, bytes: writer.finish() };
}

/** A forged envelope through a whole partition: its windows, profiles and campaigns. */
function runPartition(input: Uint8Array): Outcome {
  const partition = partitionOf();
  partition.begin({ offset: 2, storedAtMs: 0, bytes: forged(input) });
  partition.run(() => false);
  return 'accepted';
}

export const partitions: FuzzTarget = {
  name: 'partition',
  format: 'bytes',
  seeds: envelopeSeeds,
  share: 0.3,
  open: () => ({ run: runPartition }),
};

/** A control record of any JSON, and time after it. */
function runControl(input: Uint8Array): Outcome {
  const text = Buffer.from(input).toString();
  let control: unknown;
  try {
    control = JSON.parse(text);
  } catch {
    return 'refused';
  }
  return stopsOrRuns(() => {
    const partition = partitionOf();
    partition.begin(
      stored(2, (writer) => {
        writer.addJson(RecordKind.control, control, AT_MS);
        fill(writer, 8);
        writer.addTick(AT_MS + 10_000_000);
      }),
    );
    partition.run(() => false);
    partition.pipeline.restore(JSON.parse(JSON.stringify(partition.pipeline.freeze())));
  });
}

export const controls: FuzzTarget = {
  name: 'control-record',
  format: 'json',
  seeds: () => [
    JSON.stringify({
      type: 'definitions',
      definitions: definitionsOf([
        campaignOf(
          'a',
          inactionOf({ did: { event: 'did', where: { property: 'cart', op: 'eq', value: 'c1' } } }),
        ),
        campaignOf('b', { kind: 'action', on: { event: 'did' } }),
      ]),
      publishedAtMs: AT_MS,
    }),
    JSON.stringify({ type: 'publish', campaign: 'a' }),
  ],
  words: [
    'definitions',
    'publish',
    'campaigns',
    'webhooks',
    'rule',
    'kind',
    'where',
    'did',
    'state',
  ],
  share: 0.08,
  open: () => ({ run: runControl }),
};
