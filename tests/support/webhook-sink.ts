/** A receiver that remembers every request, and misbehaves as it is told. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SinkRequest {
  /** The last part of the path: which webhook. */
  readonly webhook: string;
  readonly webhookId: string;
  /** From 1, as the sender says. */
  readonly attempt: number;
  readonly targetId: number;
  /** The elements of `profiles`, in order. */
  readonly profiles: readonly Record<string, unknown>[];
  /** Status given, or undefined when it was left to hang. */
  readonly status: number | undefined;
}

/** What to do with the `nth` request (from 1): a status, or `hang`. */
export type Misbehaviour = (nth: number, webhook: string) => number | 'hang';

export class WebhookSink {
  readonly requests: SinkRequest[] = [];
  /** May be changed at any time. */
  misbehave: Misbehaviour = () => 200;
  readonly #server = createServer((request, response) => void this.#take(request, response));
  #count = 0;

  static async start(): Promise<WebhookSink> {
    const sink = new WebhookSink();
    sink.#server.listen(0, '127.0.0.1');
    await once(sink.#server, 'listening');
    return sink;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The URL of a webhook of that id. */
  urlOf(webhook: string): string {
    return `http://127.0.0.1:${this.port}/${webhook}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      // The sender was killed in the middle of a request, which counts as none.
      return;
    }
    const webhook = request.url!.slice(1);
    const answer = this.misbehave(++this.#count, webhook);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as {
      targetId: number;
      profiles: Record<string, unknown>[];
    };
    this.requests.push({
      webhook,
      webhookId: request.headers['webhook-id'] as string,
      attempt: Number(request.headers['webhook-attempt']),
      targetId: body.targetId,
      profiles: body.profiles,
      status: answer === 'hang' ? undefined : answer,
    });
    if (answer !== 'hang') response.writeHead(answer).end();
  }
}
