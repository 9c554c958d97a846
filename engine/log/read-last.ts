import { BEGINNING, type Log, type StoredEnvelope } from './log.ts';

/** The last envelope of a topic, copied; undefined when there is none. */
export async function readLast(log: Log, topic: string): Promise<StoredEnvelope | undefined> {
  const tail = await log.tail(topic);
  if (tail === BEGINNING || (await log.head(topic)) === BEGINNING) return undefined;
  return new Promise((resolve, reject) => {
    const take = () => {
      try {
        const stored = reader.poll();
        if (stored === undefined) return;
        const copy = { ...stored, bytes: stored.bytes.slice() };
        reader.close();
        resolve(copy);
      } catch (error) {
        reader.close();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const reader = log.read(topic, tail - 1, take);
    take();
  });
}
