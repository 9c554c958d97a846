/** Sends at instants fixed beforehand, whatever comes back and however long it takes. */
import { Pool } from 'undici';
import { startProgress } from '../harness/progress.ts';
import type { Schedule } from './schedule.ts';

const CONNECTIONS = 32;
const JSON_HEADERS = { 'content-type': 'application/json' };

export interface Sent {
  /** Unix ms of the schedule's zero. */
  readonly startMs: number;
  readonly requests: number;
  /** Requests that were not answered with 200. */
  readonly refused: number;
  /** Worst lateness of this process itself, ms: it counts against the latency too. */
  readonly lateMsMax: number;
  /** Worst time from an event's instant to the answer that says it is durable, ms. */
  readonly answeredMsMax: number;
}

/** Events that are due together travel together, as from an app's own servers. */
export async function sendEvents(url: string, schedule: Schedule): Promise<Sent> {
  const pool = new Pool(url, { connections: CONNECTIONS });
  const { atMs, names, users } = schedule;
  const progress = startProgress('open loop', atMs.length);
  const startMs = Date.now() + 100;
  let [next, requests, refused, lateMsMax, answeredMsMax] = [0, 0, 0, 0, 0];
  const answers: Promise<void>[] = [];
  while (next < atMs.length) {
    const dueMs = Date.now() - startMs;
    const firstMs = atMs[next]!;
    const events: string[] = [];
    if (atMs[next]! <= dueMs) lateMsMax = Math.max(lateMsMax, dueMs - atMs[next]!);
    for (; next < atMs.length && atMs[next]! <= dueMs; next++) {
      events.push(bodyOf(next, names[next]!, users[next]!, startMs + atMs[next]!));
    }
    if (events.length > 0) {
      requests++;
      const body = `{"batch":[${events.join(',')}]}`;
      const request = { path: '/v1/batch', method: 'POST' as const, headers: JSON_HEADERS, body };
      answers.push(
        pool.request(request).then(
          async (answer) => {
            await answer.body.dump();
            if (answer.statusCode !== 200) refused++;
            answeredMsMax = Math.max(answeredMsMax, Date.now() - startMs - firstMs);
          },
          () => {
            refused++;
          },
        ),
      );
    }
    progress.at(next);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  progress.end();
  await Promise.all(answers);
  await pool.close();
  return { startMs, requests, refused, lateMsMax, answeredMsMax };
}

function bodyOf(number: number, event: string, userId: string, atMs: number): string {
  const timestamp = new Date(atMs).toISOString();
  return (
    `{"type":"track","event":"${event}","userId":"${userId}","messageId":"m-${number}",` +
    `"timestamp":"${timestamp}","properties":{"cart_id":"cart-${number}","value":120.5,"items":3}}`
  );
}

/**
 * The limit: the requests that Lapse sends, sent by undici alone at the same rate.
 * @param instants ms after the start, in order
 * @returns Unix ms of their zero; request `i` is for the user `bare-<i>`
 */
export async function sendBare(url: string, instants: readonly number[]): Promise<number> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: CONNECTIONS });
  const startMs = Date.now() + 100;
  const answers: Promise<unknown>[] = [];
  for (let next = 0; next < instants.length; ) {
    const dueMs = Date.now() - startMs;
    for (; next < instants.length && instants[next]! <= dueMs; next++) {
      const body =
        '{"targetId":1,"key_values":{},"profiles":[{"Identity":"bare-' +
        `${next}","Event_properties":{"cart_id":"cart-${next}","value":120.5,"items":3}}]}`;
      const request = { path: pathname, method: 'POST' as const, headers: JSON_HEADERS, body };
      answers.push(pool.request(request).then((answer) => answer.body.dump()));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(answers);
  await pool.close();
  return startMs;
}
