import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Packr } from 'msgpackr';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectLog, openLogHome } from '../../../app/serve/log-home.ts';
import {
  checkMessageSize,
  eventBytesThatFit,
  MESSAGE_BYTES_MIN,
} from '../../../app/serve/message-size.ts';
import { resolveRuntime } from '../../../config/definitions/runtime.ts';
import { intakeLimits } from '../../../config/limits.ts';
import { checkEvent, emptyEvent } from '../../../connectors/events/check-event.ts';
import { Payload } from '../../../connectors/events/decode-payload.ts';
import { DEFAULT_EVENT_LIMITS } from '../../../connectors/events/event-limits.ts';
import { noRepairs } from '../../../connectors/events/repairs.ts';
import {
  ENVELOPE_BODY_BYTES_MAX,
  ENVELOPE_RECORDS_MAX,
} from '../../../engine/envelope/envelope-layout.ts';
import { EnvelopeWriter } from '../../../engine/envelope/envelope-writer.ts';
import type { IncomingEvent } from '../../../engine/envelope/records.ts';
import { BLOB_BYTES_MAX } from '../../../engine/state/arena.ts';
import { encodeDeliveries } from '../../../operators/delivery/codec.ts';
import { renderProfile } from '../../../operators/render/variables.ts';
import { anEvent } from '../../engine/intake/intake-records.ts';
import { deliveryOf } from '../../operators/delivery/lane-bench.ts';
import { type NatsServer, natsPrograms, startNatsServer } from '../../support/nats-server.ts';

const RECEIVED_MS = Date.parse('2026-01-05T09:00:00Z');
/** What NATS takes when nothing is configured. */
const PAYLOAD_BYTES = 2 ** 20;
const FITTING = eventBytesThatFit(PAYLOAD_BYTES);
const packr = new Packr({ useRecords: false, variableMapSize: true });
const programs = await natsPrograms();

/** Events of a size that grow most, by where they grow. */
const GROWING: Readonly<Record<string, (bytes: number) => unknown>> = {
  'control characters': (bytes) => '\u0001'.repeat(bytes),
  'truth values': (bytes) => Array.from({ length: bytes }, () => false),
  instants: (bytes) => Array.from({ length: bytes / 6 }, () => new Date(RECEIVED_MS)),
  'characters of three bytes': (bytes) => '語'.repeat(bytes / 3),
  'decimal numbers': (bytes) => Array.from({ length: bytes / 9 }, () => 1.1e-300),
};

/** An event of nearly so many bytes, as a door that allows them gives it on. */
function eventOf(eventBytesMax: number, grow: (bytes: number) => unknown): IncomingEvent {
  const around = 200;
  const value = grow(eventBytesMax - around);
  const raw = { type: 'track', event: 'Bought', userId: 'ann', properties: { value } };
  const bytes = packr.pack(raw);
  expect(bytes.length).toBeLessThanOrEqual(eventBytesMax);
  expect(bytes.length).toBeGreaterThan(eventBytesMax - 2 * around);
  const payload = new Payload();
  payload.decode(bytes);
  const event = emptyEvent();
  const refused = checkEvent(
    payload.values[0],
    {
      limits: { ...DEFAULT_EVENT_LIMITS, eventBytesMax },
      receivedAtMs: RECEIVED_MS,
      byteLength: bytes.length,
      type: undefined,
      sentAt: undefined,
      index: 0,
      repairs: noRepairs(),
      messageIdOf: () => 'm1',
    },
    event,
  );
  expect(refused).toBeUndefined();
  return event;
}

/** An envelope that gathered what it could before this event came. */
function envelopeOf(event: IncomingEvent): Uint8Array {
  const writer = new EnvelopeWriter();
  // Near both bounds, of records and of bytes.
  const filling = 'x'.repeat(ENVELOPE_BODY_BYTES_MAX / ENVELOPE_RECORDS_MAX - 20);
  for (let i = 0; i < ENVELOPE_RECORDS_MAX - 1; i++) {
    writer.addEvent(anEvent({ messageId: `m${i}`, properties: { filling } }), RECEIVED_MS);
  }
  expect(writer.isFull).toBe(false);
  writer.addEvent(event, RECEIVED_MS);
  return writer.finish();
}

/** The delivery of an action rule, to a user whose profile is as large as one can be. */
function deliveryEnvelopeOf({ userId, properties }: IncomingEvent): Uint8Array {
  const body = renderProfile(
    { fields: ['identity', 'profileData', 'eventProperties'] },
    {
      userId,
      isAnonymous: false,
      profile: { note: '\u0001'.repeat(BLOB_BYTES_MAX) },
      event: properties,
    },
  );
  return encodeDeliveries([deliveryOf(userId, { body })]);
}

test('message size: the default limits fit what NATS takes by default', () => {
  checkMessageSize(PAYLOAD_BYTES, intakeLimits.eventBytesMax.default);
});

test('message size: the largest limit is taken where the server takes the largest message', () => {
  const { max } = intakeLimits.eventBytesMax;
  const wanted = 6 * (max + BLOB_BYTES_MAX) + 8 * 1024;
  expect(() => checkMessageSize(wanted - 1, max)).toThrow(`a max_payload of ${wanted} there.`);
  checkMessageSize(wanted, max);
  expect(eventBytesThatFit(wanted)).toBe(max);
});

test('message size: a server that takes too little for anything is refused', () => {
  expect(() => checkMessageSize(MESSAGE_BYTES_MIN - 1, 1_024)).toThrow(
    `The NATS server must take messages of ${MESSAGE_BYTES_MIN} bytes ` +
      `(max_payload in its configuration), it takes ${MESSAGE_BYTES_MIN - 1}.`,
  );
});

describe.each(programs)('message size, NATS $version', (program) => {
  let server: NatsServer;
  let folder: string;

  beforeAll(async () => {
    server = await startNatsServer({ program });
    folder = mkdtempSync(join(tmpdir(), 'lapse-size-'));
  });

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function open(eventBytesMax: number, url = server.url) {
    const settings = resolveRuntime({ nats: url, data: folder }, {}, {});
    const limits = { ...settings.limits, eventBytesMax, requestBytesMax: 2 ** 20 };
    return openLogHome({ ...settings, limits }, () => undefined);
  }

  test('one byte above what fits is refused at the start, with what would', async () => {
    await expect(open(FITTING + 1)).rejects.toMatchObject({
      code: 'ERR_NATS_PAYLOAD',
      domain: 'user',
      message:
        `limits.eventBytesMax must be at most ${FITTING} with a NATS server that takes messages ` +
        `of ${PAYLOAD_BYTES} bytes, got ${FITTING + 1}; it needs a max_payload of ` +
        `${6 * (FITTING + 1 + BLOB_BYTES_MAX) + 8 * 1024} there.`,
    });
  });

  test('more is taken where the server takes larger messages', async () => {
    const large = await startNatsServer({ program, config: `max_payload: ${2 * PAYLOAD_BYTES}` });
    const home = await open(FITTING + 1, large.url);
    await home.close();
    await large.stop();
  });

  test.each(Object.entries(GROWING))(
    'the largest event that is taken goes all the way: %s',
    async (_, grow) => {
      const home = await open(FITTING);
      const log = await connectLog(home.address().address);
      const event = eventOf(FITTING, grow);
      expect(await log.append('in.0', envelopeOf(event))).toBeGreaterThan(0);
      expect(await log.append('out.crm', deliveryEnvelopeOf(event))).toBeGreaterThan(0);
      await log.close();
      await home.close();
    },
  );
});
