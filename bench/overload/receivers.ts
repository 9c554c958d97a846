/**
 * A process with the receivers of the webhooks beside the healthy one: counts what each user got,
 * keeps a digest of each request's body by its `webhook-id`, and answers `/slow` slowly.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HOOKS, type Hook, SLOW_ANSWER_MS, userOf } from './scene.ts';

export type ToReceivers = 'count' | 'report' | 'hurry' | 'close';

export type FromReceivers =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'count'; readonly messages: Readonly<Record<Hook, number>> }
  | {
      readonly kind: 'report';
      /** By webhook: how often each user's message was taken, by the user's number. */
      readonly taken: Readonly<Record<Hook, Uint8Array>>;
      readonly requests: Readonly<Record<Hook, number>>;
      /** Requests whose `webhook-id` had come before, with another body and with the same one. */
      readonly changedBodies: number;
      readonly repeatedIds: number;
    };

const TAKEN_MAX = 255;

class Counter {
  messages = 0;
  requests = 0;
  #taken = new Uint8Array(1 << 16);

  take(number: number): void {
    this.messages++;
    if (number >= this.#taken.length) {
      const larger = new Uint8Array(Math.max(number + 1, this.#taken.length * 2));
      larger.set(this.#taken);
      this.#taken = larger;
    }
    if (this.#taken[number]! < TAKEN_MAX) this.#taken[number]!++;
  }

  get taken(): Uint8Array {
    return this.#taken;
  }
}

const counters: Readonly<Record<Hook, Counter>> = {
  slow: new Counter(),
  sample: new Counter(),
  burst: new Counter(),
  joined: new Counter(),
};
const bodies = new Map<string, string>();
let [changedBodies, repeatedIds] = [0, 0];
let answerMs = SLOW_ANSWER_MS;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    note(String(request.headers['webhook-id']), request.url!.slice(1) as Hook, body);
    if (request.url !== '/slow' || answerMs === 0) return void response.end();
    setTimeout(() => response.end(), answerMs);
  });
});

function note(webhookId: string, hook: Hook, body: Buffer): void {
  counters[hook].requests++;
  const digest = createHash('sha1').update(body).digest('base64').slice(0, 12);
  const before = bodies.get(webhookId);
  if (before === undefined) bodies.set(webhookId, digest);
  else if (before === digest) repeatedIds++;
  else changedBodies++;
  const { profiles } = JSON.parse(body.toString()) as {
    readonly profiles: readonly { readonly Identity: string }[];
  };
  for (const { Identity } of profiles) counters[hook].take(userOf(Identity)!.number);
}

function say(message: FromReceivers): void {
  process.send!(message);
}

function byHook<Value>(of: (counter: Counter) => Value): Record<Hook, Value> {
  return Object.fromEntries(HOOKS.map((hook) => [hook, of(counters[hook])])) as Record<Hook, Value>;
}

process.on('message', (message: ToReceivers) => {
  if (message === 'close') {
    server.closeAllConnections();
    server.close();
    process.disconnect();
  } else if (message === 'hurry') answerMs = 0;
  else if (message === 'count') say({ kind: 'count', messages: byHook((one) => one.messages) });
  else {
    const taken = byHook((one) => one.taken);
    const requests = byHook((one) => one.requests);
    say({ kind: 'report', taken, requests, changedBodies, repeatedIds });
  }
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  say({ kind: 'listening', port: (server.address() as AddressInfo).port });
});
