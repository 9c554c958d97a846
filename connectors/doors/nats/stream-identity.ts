/**
 * Which stream of its name a position belongs to. A stream that is deleted and made again counts
 * its messages from 1 again, and so does one that its server kept in memory and lost; there the
 * server may even say the old time of creation. A position of the one says nothing of the other.
 */
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import type { StreamPosition } from './source-position.ts';

/** Between the time of creation and how often the sequences have started over since. */
const COUNT_MARK = '#';

/**
 * @param saved the newest position known of a stream of that name
 * @returns the identity of the stream that is there, as it stands in positions: the saved one when
 *   the position is of this stream
 */
export async function identityOf(
  manager: JetStreamManager,
  { config, created, state }: StreamInfo,
  saved: StreamPosition | undefined,
): Promise<string> {
  if (saved === undefined) return created;
  const [savedCreated, count = '0'] = saved.created.split(COUNT_MARK);
  if (savedCreated !== created) return created;
  const next = `${created}${COUNT_MARK}${Number(count) + 1}`;
  if (saved.sequence === 0) return saved.created;
  if (state.last_seq < saved.sequence) return next;
  const message = await manager.streams.getMessage(config.name, { seq: saved.sequence });
  // One that is kept no longer, as it is older than the stream keeps them, says nothing.
  const isOther = message !== null && message.time.getTime() !== saved.storedAtMs;
  return isOther ? next : saved.created;
}

/** For ids of events without one: short, and another one for each stream. */
export function idPrefixOf(stream: string, identity: string): string {
  const [created, count] = identity.split(COUNT_MARK);
  const age = Math.floor(Date.parse(created!)).toString(36);
  return `nats:${stream}@${age}${count === undefined ? '' : `.${count}`}`;
}
