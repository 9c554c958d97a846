/** What receivers answer, and the script by which a simulated one does. */

import { parseReceiver } from '../../../app/simulate/read-receiver.ts';
import { ScriptedReceiver } from '../../../app/simulate/scripted-receiver.ts';
import {
  BODY_BYTES_MAX,
  Exchange,
  SNIPPET_BYTES_MAX,
} from '../../../connectors/webhook/exchange.ts';
import type { SenderAttempt } from '../../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../../engine/sender/transport.ts';
import {
  holdUntilMsOf,
  RETRY_AFTER_MS_MAX,
  retryDelayMs,
} from '../../../operators/delivery/retry.ts';
import { judge } from '../../../operators/delivery/verdict.ts';
import { demand, type FuzzTarget, type Outcome } from '../target.ts';

const AT_MS = Date.parse('2026-01-05T09:00:00Z');
const clock = { now: () => AT_MS, at: () => () => undefined };

interface Wish {
  readonly status?: unknown;
  readonly headers?: unknown;
  readonly chunks?: unknown;
  readonly error?: unknown;
}

/** `{status, headers, chunks, error}`, handed over as the HTTP client does. */
function runAnswer(input: Uint8Array): Outcome {
  let wish: Wish;
  try {
    wish = (JSON.parse(Buffer.from(input).toString()) ?? {}) as Wish;
  } catch {
    wish = { headers: { 'retry-after': Buffer.from(input).toString('latin1') } };
  }
  const results: TransportResult[] = [];
  const exchange = new Exchange(clock, {
    settle: (result) => results.push(result),
    starting: () => undefined,
    sendAgain: () => undefined,
  });
  let isAborted = false;
  const controller = { abort: () => (isAborted = true) } as unknown as Parameters<
    Exchange['onRequestStart']
  >[0];
  exchange.onRequestStart(controller);
  // The client's parser lets three digits through, and names and values that are texts.
  const status =
    Math.abs(Math.trunc(typeof wish.status === 'number' ? wish.status : 200)) % 1_000 || 0;
  exchange.onResponseStart(controller, status, headersOf(wish.headers));
  const chunks = Array.isArray(wish.chunks) ? wish.chunks : [];
  for (const chunk of chunks) {
    if (!isAborted) exchange.onResponseData(controller, Buffer.from(String(JSON.stringify(chunk))));
  }
  if (wish.error === undefined) exchange.onResponseEnd();
  else exchange.onResponseError(controller, errorOf(wish.error));
  demand(results.length === 1, () => `${results.length} results of one request.`);
  const result = results[0]!;
  demandHold(result);
  const verdict = judge(result, '2xx');
  if (verdict.kind === 'failed') {
    demand(/^[a-z0-9-]{1,40}$/.test(verdict.reason), () => `The reason ${verdict.reason}.`);
  }
  return verdict.kind === 'delivered' ? 'accepted' : 'refused';
}

function demandHold(result: TransportResult): void {
  const holdUntilMs = holdUntilMsOf(result, AT_MS);
  const isFit =
    holdUntilMs === 0 || (holdUntilMs >= AT_MS && holdUntilMs <= AT_MS + RETRY_AFTER_MS_MAX);
  demand(isFit, () => `Held until ${holdUntilMs}.`);
  if ('error' in result) return;
  const { bodySnippet } = result;
  // A character that the cut goes through becomes one of three bytes.
  const bytes = Buffer.byteLength(bodySnippet);
  demand(bytes <= 3 * SNIPPET_BYTES_MAX, () => `${bytes} bytes of ${BODY_BYTES_MAX} are kept.`);
  const delayMs = retryDelayMs([], bodySnippet, 1 + (bytes % 20));
  demand(delayMs > 0 && Number.isSafeInteger(delayMs), () => `A wait of ${delayMs} ms.`);
}

function headersOf(value: unknown): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  if (typeof value !== 'object' || value === null) return headers;
  for (const [name, one] of Object.entries(value)) {
    if (name === '__proto__') continue;
    const isList = Array.isArray(one) && one.every((part) => typeof part === 'string');
    headers[name.toLowerCase()] = isList
      ? one
      : typeof one === 'string'
        ? one
        : String(JSON.stringify(one));
  }
  return headers;
}

function errorOf(value: unknown): Error {
  // Whatever it says of itself, the HTTP client throws errors.
  const facts = Object.entries(typeof value === 'object' ? (value ?? {}) : { code: value });
  const own = facts.filter(([name]) => name !== '__proto__');
  return Object.assign(new Error('broken'), Object.fromEntries(own));
}

export const webhookAnswers: FuzzTarget = {
  name: 'webhook-answer',
  format: 'json',
  seeds: () => [
    ...[200, 204, 301, 400, 408, 410, 413, 429, 500, 503].map((status) =>
      JSON.stringify({
        status,
        headers: { 'retry-after': '30', server: 'x' },
        chunks: ['ok', 'ok'],
      }),
    ),
    JSON.stringify({ status: 503, headers: { 'retry-after': 'Mon, 05 Jan 2026 09:00:30 GMT' } }),
    JSON.stringify({
      status: 429,
      headers: { 'retry-after': ['1', '2'] },
      chunks: ['x'.repeat(70_000)],
    }),
    JSON.stringify({ error: { code: 'ECONNRESET', name: 'HTTPParserError' } }),
  ],
  words: [
    'retry-after',
    'status',
    'headers',
    'chunks',
    'error',
    'code',
    '99999999999999999999',
    'Mon, 99 Foo',
    '-1',
    '1e9',
    'ETIMEDOUT',
    'Sat, 01 Jan 275760 00:00:00 GMT',
  ],
  open: () => ({ run: runAnswer }),
};

const attempt = {
  campaignId: 'c',
  startedAtMs: AT_MS,
  members: [{ userId: 'u1' }],
  request: { timeoutMs: 5_000 },
} as unknown as SenderAttempt;

function runReceiver(input: Uint8Array): Outcome {
  const receiver = new ScriptedReceiver(parseReceiver(Buffer.from(input).toString(), 'fuzz'));
  for (let i = 0; i < 3; i++) {
    const { result, afterMs } = receiver.answer('hook', attempt);
    demand(afterMs >= 0 && afterMs <= 5_000, () => `An answer after ${afterMs} ms.`);
    demandHold(result);
    judge(result, '200');
  }
  return 'accepted';
}

const script = {
  responses: [
    { webhook: 'hook', nth: 1, status: 503, headers: { 'Retry-After': 3 } },
    { user: 'u1', error: 'reset' },
    { latency: '250ms' },
  ],
};

export const receivers: FuzzTarget = {
  name: 'receiver-script',
  format: 'yaml',
  seeds: () => [
    JSON.stringify(script),
    'responses:\n  - {campaign: c, status: 200}\n  - latency: 1m\n',
    'responses: []',
  ],
  words: [
    'responses',
    'webhook',
    'campaign',
    'user',
    'nth',
    'status',
    'headers',
    'retry-after',
    'latency',
    'error',
    'timeout',
    '9d',
  ],
  share: 0.03,
  open: () => ({ run: runReceiver }),
};
