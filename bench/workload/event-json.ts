/** An event of the workload as a client would send it. */
import type { IncomingEvent } from '../../engine/envelope/records.ts';

/** @param sentAtMs when the client says that it happened, Unix ms */
export function eventJson(event: IncomingEvent, sentAtMs: number): string {
  return JSON.stringify({
    type: 'track',
    userId: event.userId,
    event: event.name,
    messageId: event.messageId,
    timestamp: new Date(sentAtMs).toISOString(),
    properties: event.properties,
  });
}
