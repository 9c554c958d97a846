/** Messages for the NATS door: put into its stream beforehand, and read by a bare consumer. */
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { ensureEventStream } from '../../connectors/doors/nats/event-stream.ts';
import { startProgress } from '../harness/progress.ts';
import { eventJson } from '../workload/event-json.ts';
import type { ShopWorkload } from '../workload/shop.ts';

export const STREAM = 'LAPSE_EVENTS';
const EVENTS = 'events.>';
const SUBJECT = 'events.shop';
const RETENTION_MS = 86_400_000;
/** Messages between two waits for the server, so that its buffers stay small. */
const FLUSH_EVERY = 2_000;

/** Publishes as plain clients do, without acknowledgements; resolves when all are stored. */
export async function publishEvents(
  connection: NatsConnection,
  workload: ShopWorkload,
  total: number,
): Promise<void> {
  const manager = await jetstreamManager(connection);
  const options = { stream: STREAM, events: EVENTS, replicas: 1, retentionMs: RETENTION_MS };
  await ensureEventStream(manager, options);
  const progress = startProgress('publishing events', total);
  let count = 0;
  while (workload.next()) {
    connection.publish(SUBJECT, eventJson(workload.event, Date.now()));
    if (++count % FLUSH_EVERY !== 0) continue;
    await connection.flush();
    progress.at(count);
  }
  await connection.flush();
  for (;;) {
    const { state } = await manager.streams.info(STREAM);
    if (state.messages >= total) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  progress.end();
}

/**
 * The limit: receives all messages as the door does, and at most parses them.
 * @returns ms
 */
export async function receiveAll(
  connection: NatsConnection,
  total: number,
  isParsed: boolean,
): Promise<number> {
  const manager = await jetstreamManager(connection);
  const name = `bench-${isParsed ? 'parsing' : 'bare'}`;
  await manager.consumers.add(STREAM, {
    name,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.All,
    mem_storage: true,
  });
  const consumer = await jetstream(connection).consumers.get(STREAM, name);
  const startedMs = performance.now();
  const messages = await consumer.consume({ max_messages: 2_000 });
  let count = 0;
  let named = 0;
  for await (const message of messages) {
    if (isParsed) {
      const event = JSON.parse(message.string()) as { readonly event?: string };
      if (event.event !== undefined) named++;
    }
    if (++count === total) break;
  }
  messages.stop();
  const elapsedMs = performance.now() - startedMs;
  await consumer.delete();
  if (isParsed && named !== total) throw new Error(`${total} events must have a name, ${named} do`);
  return elapsedMs;
}
