import type { OutgoingRequest } from '../../engine/sender/transport.ts';
import type { Campaign, Webhook } from '../definitions.ts';
import type { Delivery } from './delivery.ts';
import { signatureOf, signingKeyOf } from './signature.ts';

/** What one request is made of. */
export interface RequestParts {
  readonly webhook: Webhook;
  readonly campaign: Campaign;
  /** In the order of the batch. */
  readonly members: readonly Delivery[];
  readonly webhookId: string;
  /** From 1. */
  readonly attempt: number;
  readonly atMs: number;
  /** `Lapse/<version>`. */
  readonly userAgent: string;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

/**
 * Builds the request of an attempt: pure, so that a preview shows the very bytes that go out.
 * GET and DELETE carry no body, since receivers and proxies may drop or refuse one; what they are
 * to know stands in the query.
 */
export function requestOf(parts: RequestParts): OutgoingRequest {
  const { webhook, campaign, members } = parts;
  const hasBody = webhook.method !== 'GET' && webhook.method !== 'DELETE';
  const body = hasBody ? encoder.encode(variablesBody(campaign, members)) : NOTHING;
  return {
    lane: webhook.id,
    method: webhook.method,
    url: urlOf(webhook.url, campaign.content.query),
    headers: headersOf(parts, body, hasBody),
    ...(hasBody ? { body } : {}),
    timeoutMs: webhook.timeoutMs,
    connectionsMax: webhook.maxInFlight,
  };
}

/** The body of mode *variables*; the members' elements are rendered already. */
export function variablesBody(campaign: Campaign, members: readonly Delivery[]): string {
  const profiles = members.map((member) => member.body).join(',');
  const keyValues = JSON.stringify(campaign.content.keyValues);
  return `{"targetId":${campaign.targetId},"key_values":${keyValues},"profiles":[${profiles}]}`;
}

/** The webhook's URL with the campaign's parameters, which win over ones of the same name. */
export function urlOf(base: string, query: Readonly<Record<string, string>>): string {
  const names = Object.keys(query);
  // Left untouched without parameters: `URL` would write the query its own way.
  if (names.length === 0) return base;
  const url = new URL(base);
  for (const name of names) url.searchParams.set(name, query[name]!);
  return url.href;
}

/** The webhook's own headers may replace the first two; nothing replaces the last ones. */
function headersOf(
  parts: RequestParts,
  body: Uint8Array,
  hasBody: boolean,
): Record<string, string> {
  const { webhook, webhookId, attempt } = parts;
  const timestamp = Math.floor(parts.atMs / 1_000);
  const headers: Record<string, string> = { 'user-agent': parts.userAgent };
  if (hasBody) headers['content-type'] = 'application/json';
  for (const [name, value] of Object.entries(webhook.headers)) headers[name.toLowerCase()] = value;
  const authorization = authorizationOf(webhook.auth);
  if (authorization !== undefined) headers.authorization = authorization;
  headers['webhook-id'] = webhookId;
  headers['webhook-timestamp'] = String(timestamp);
  headers['webhook-attempt'] = String(attempt);
  // Without a secret there is no signature, and a literal header must not pass for one.
  delete headers['webhook-signature'];
  if (webhook.secret !== undefined) {
    const key = signingKeyOf(webhook.secret);
    headers['webhook-signature'] = signatureOf(key, webhookId, timestamp, body);
  }
  return headers;
}

function authorizationOf(auth: Webhook['auth']): string | undefined {
  if (auth.kind === 'none') return undefined;
  if (auth.kind === 'bearer') return `Bearer ${auth.token}`;
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
}
