import { LapseError } from '../errors/errors.ts';
import { BEGINNING, type Log, type Offset, type StoredEnvelope } from '../log/log.ts';

/** The topics of a lane. */
export function topicsOf(webhookId: string) {
  return {
    /** Deliveries owed, written by the partitions' owners. */
    out: `out.${webhookId}`,
    /** What became of them, written by the sender. */
    done: `done.${webhookId}`,
    /** The lane's snapshots; only the last one counts. */
    snap: `snap.${webhookId}`,
  } as const;
}

export interface StoredSnapshot {
  /** The snapshot holds what `done` says up to and with this offset. */
  readonly doneOffset: Offset;
  readonly lane: Uint8Array;
}

const VERSION = 1;
const HEADER_BYTES = 9;

/** A byte of version, the offset of `done` as f64, the lane's own bytes. */
export function encodeStoredSnapshot({ doneOffset, lane }: StoredSnapshot): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + lane.length);
  bytes[0] = VERSION;
  new DataView(bytes.buffer).setFloat64(1, doneOffset, true);
  bytes.set(lane, HEADER_BYTES);
  return bytes;
}

/** @throws LapseError `ERR_ENVELOPE_VERSION` */
export function decodeStoredSnapshot(bytes: Uint8Array): StoredSnapshot {
  if (bytes[0] !== VERSION || bytes.length < HEADER_BYTES) {
    throw new LapseError(
      'ERR_ENVELOPE_VERSION',
      `A stored snapshot must be of version ${VERSION}, it is of version ${bytes[0] ?? 'none'}.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { doneOffset: view.getFloat64(1, true), lane: bytes.slice(HEADER_BYTES) };
}

/** Reads what a topic holds after `after`, up to and with `tail`, in order. */
export async function readUpTo(
  log: Log,
  range: { readonly topic: string; readonly after: Offset; readonly tail: Offset },
  take: (envelope: StoredEnvelope) => void,
): Promise<void> {
  // A topic that was trimmed whole has a tail but nothing to wait for.
  if (range.after >= range.tail || (await log.head(range.topic)) === BEGINNING) return;
  let wake: () => void = () => {};
  const reader = log.read(range.topic, range.after, () => wake());
  try {
    for (;;) {
      const readable = new Promise<void>((resolve) => {
        wake = resolve;
      });
      let envelope = reader.poll();
      for (; envelope !== undefined; envelope = reader.poll()) {
        take(envelope);
        if (envelope.offset >= range.tail) return;
      }
      await readable;
    }
  } finally {
    reader.close();
  }
}
