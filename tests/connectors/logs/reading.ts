/** Reads logs in tests: waits for envelopes instead of polling for them. */
import type { Fence, Log, Offset } from '../../../engine/log/log.ts';

export interface Seen {
  readonly offset: Offset;
  readonly text: string;
  readonly fence: Fence | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The next `count` envelopes of a topic after `after`, in the order in which they came. */
export async function readSome(
  log: Log,
  topic: string,
  after: Offset,
  count: number,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  let wake: () => void = () => undefined;
  const reader = log.read(topic, after, () => wake());
  try {
    while (seen.length < count) {
      const readable = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const envelope = reader.poll();
      if (envelope === undefined) {
        await readable;
        continue;
      }
      const { offset, bytes, fence } = envelope;
      seen.push({ offset, text: decoder.decode(bytes), fence });
    }
  } finally {
    reader.close();
  }
  return seen;
}

export function texts(seen: readonly Seen[]): string[] {
  return seen.map(({ text }) => text);
}
