import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { userError } from '../../../engine/errors/errors.ts';
import { mix32 } from '../../../engine/state/hash.ts';
import { type Clock, systemClock } from '../../../engine/time/clock.ts';
import { contentOf, linesOf } from './receive-lines.ts';
import { type SignatureVerdict, verifySignature } from './receive-verify.ts';

export interface ReceiverOptions {
  /** 0: any free one. @default 0 */
  readonly port?: number;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** Share of requests answered with 500, 0 to 1. @default 0 */
  readonly failRate?: number;
  /** Decides which ones; equal seeds fail alike. @default 1 */
  readonly seed?: number;
  /** Before each answer. @default 0 */
  readonly latencyMs?: number;
  /** `whsec_…`: signatures are checked, and requests with a bad one refused with 401. */
  readonly secret?: string;
  /** Gets two lines for each request: what came, and its body. @default prints nothing */
  readonly print?: (line: string) => void;
  readonly onRequest?: (received: ReceivedRequest) => void;
  readonly clock?: Clock;
}

export interface ReceivedRequest {
  readonly atMs: number;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly webhookId: string | undefined;
  readonly signature: SignatureVerdict;
  /** True when this id was accepted before. */
  readonly isRepeat: boolean;
  /** The status it is answered with. */
  readonly status: number;
}

export interface ReceiverCounts {
  requests: number;
  /** Answered with 200 for the first time, by `webhook-id`. */
  accepted: number;
  /** Answered with 200 again: the sender did not hear, or asked twice. */
  repeated: number;
  /** Answered with 500 because `failRate` said so. */
  failed: number;
  /** Answered with 401: a signature that is wrong or too old. */
  refused: number;
  /** Profiles in accepted requests. */
  profiles: number;
}

export interface Receiver {
  readonly url: string;
  readonly counts: Readonly<ReceiverCounts>;
  /** Cuts connections off. */
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Ids remembered for repeats; the oldest are forgotten. */
const IDS_MAX = 1_000_000;

/**
 * A receiver for trying things: takes webhooks, says what came, and misbehaves when asked to.
 * @throws LapseError `ERR_RECEIVER_LISTEN` when the address cannot be had
 */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const state = new ReceiverState(options);
  const server = createServer((request, response) => state.serve(request, response));
  const host = options.host ?? '127.0.0.1';
  await listen(server, options.port ?? 0, host);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    counts: state.counts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class ReceiverState {
  readonly counts: ReceiverCounts = {
    requests: 0,
    accepted: 0,
    repeated: 0,
    failed: 0,
    refused: 0,
    profiles: 0,
  };
  readonly #options: ReceiverOptions;
  readonly #clock: Clock;
  readonly #seen = new Set<string>();

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('error', () => response.destroy());
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_BYTES_MAX) request.destroy();
      else chunks.push(chunk);
    });
    request.on('end', () => {
      const { status } = this.#take(request, Buffer.concat(chunks));
      const answer = () => response.writeHead(status, { 'content-type': 'text/plain' }).end();
      const { latencyMs = 0 } = this.#options;
      if (latencyMs > 0) this.#clock.at(this.#clock.now() + latencyMs, answer);
      else answer();
    });
  }

  #take(request: IncomingMessage, body: Buffer): ReceivedRequest {
    const { headers, method = '', url = '' } = request;
    const { secret, onRequest, print } = this.#options;
    const atMs = this.#clock.now();
    const webhookId = headers['webhook-id']?.toString();
    const signature = verifySignature(secret, headers, body, this.#clock.wall?.() ?? atMs);
    const isRefused = secret !== undefined && signature !== 'ok';
    const status = isRefused ? 401 : this.#isFailing() ? 500 : 200;
    const isRepeat = webhookId !== undefined && this.#seen.has(webhookId);
    const text = body.toString('utf8');
    const content = contentOf(text);
    this.#count(status, isRepeat, content.profiles);
    if (status === 200 && webhookId !== undefined) this.#remember(webhookId);
    const facts = { atMs, method, url, headers, webhookId, signature, isRepeat, status };
    const received: ReceivedRequest = { ...facts, body: text };
    if (print !== undefined) for (const line of linesOf(received, content)) print(line);
    onRequest?.(received);
    return received;
  }

  /** The n-th request fails or not by a hash of the seed and n, so a run can be repeated. */
  #isFailing(): boolean {
    const { failRate = 0, seed = 1 } = this.#options;
    const drawn = mix32(Math.imul(seed, 0x9e3779b1) + this.counts.requests) / 2 ** 32;
    return drawn < failRate;
  }

  #count(status: number, isRepeat: boolean, profiles: number): void {
    this.counts.requests++;
    if (status === 401) this.counts.refused++;
    else if (status === 500) this.counts.failed++;
    else if (isRepeat) this.counts.repeated++;
    else {
      this.counts.accepted++;
      this.counts.profiles += profiles;
    }
  }

  #remember(webhookId: string): void {
    this.#seen.add(webhookId);
    if (this.#seen.size <= IDS_MAX) return;
    for (const oldest of this.#seen) {
      this.#seen.delete(oldest);
      return;
    }
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const facts = { host, port, cause: error.message };
      const sentence = `The receiver must be able to listen on ${host}:${port}: ${error.message}.`;
      reject(userError('ERR_RECEIVER_LISTEN', sentence, facts));
    });
    server.listen(port, host, () => resolve());
  });
}
