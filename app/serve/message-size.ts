import { userError } from '../../engine/errors/errors.ts';
import { BLOB_BYTES_MAX } from '../../engine/state/arena.ts';

/**
 * What the log writes whatever an event may measure: snapshots of lanes (960 KiB), definitions
 * behind an envelope that is all but full (916 KiB), outcomes of a thousand long ids (800 KiB).
 */
export const MESSAGE_BYTES_MIN = 2 ** 20;
/**
 * From an event's bytes to those of a body rendered from it, at most: `false` is one byte of
 * msgpack and six of JSON with its comma, and so is a control character as `\u0001`.
 */
const RENDERED_GROWTH = 6;
/** Ids, columns and headers around a body. */
const AROUND_BYTES = 8 * 1024;

/**
 * The largest message of the log: a body with one event and one profile. An envelope of the intake
 * is smaller: 256 KiB of others, and one event at most four and a half times as long as it came.
 */
function messageBytesFor(eventBytesMax: number): number {
  const rendered = RENDERED_GROWTH * (eventBytesMax + BLOB_BYTES_MAX);
  return Math.max(MESSAGE_BYTES_MIN, rendered + AROUND_BYTES);
}

/** The largest `limits.eventBytesMax` for messages of this size, which is `MESSAGE_BYTES_MIN` at least. */
export function eventBytesThatFit(payloadBytesMax: number): number {
  return Math.floor((payloadBytesMax - AROUND_BYTES) / RENDERED_GROWTH) - BLOB_BYTES_MAX;
}

/**
 * An event that a door takes and the log never can would be sent again for ever, and a delivery
 * would stop its partition.
 * @param payloadBytesMax largest message that the NATS server takes
 * @throws LapseError `ERR_NATS_PAYLOAD`
 */
export function checkMessageSize(payloadBytesMax: number, eventBytesMax: number): void {
  const bytes = messageBytesFor(eventBytesMax);
  if (bytes <= payloadBytesMax) return;
  const facts = { payloadBytesMax, eventBytesMax, wantedBytes: bytes };
  if (payloadBytesMax < MESSAGE_BYTES_MIN) {
    throw userError(
      'ERR_NATS_PAYLOAD',
      `The NATS server must take messages of ${bytes} bytes (max_payload in its configuration), ` +
        `it takes ${payloadBytesMax}.`,
      facts,
    );
  }
  throw userError(
    'ERR_NATS_PAYLOAD',
    `limits.eventBytesMax must be at most ${eventBytesThatFit(payloadBytesMax)} with a NATS ` +
      `server that takes messages of ${payloadBytesMax} bytes, got ${eventBytesMax}; ` +
      `it needs a max_payload of ${bytes} there.`,
    facts,
  );
}
