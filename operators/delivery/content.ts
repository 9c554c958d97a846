import type { OutgoingRequest } from '../../engine/sender/transport.ts';
import type { Campaign, Content, Webhook } from '../definitions.ts';
import { Rendering } from '../render/render-scope.ts';
import { subjectOf } from '../render/subject.ts';
import { hasTags } from '../render/template.ts';
import { RenderRefusal } from '../render/template-failure.ts';
import { isUrlStable } from '../render/url-template.ts';
import { renderProfile } from '../render/variables.ts';
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
  /** Of dates that templates print. @default 'UTC' */
  readonly timezone?: string;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
/** Of a rendered URL; more is an attribute gone wrong. */
const URL_CHARS_MAX = 16_384;
const HEADER_VALUE = /^[\t\x20-\x7e\xa0-\xff]*$/;

/**
 * Builds the request of an attempt: pure, so that a preview shows the very bytes that go out.
 * GET and DELETE carry no body, since receivers and proxies may drop or refuse one; what they are
 * to know stands in the query.
 * @throws RenderRefusal when a template ends the delivery
 */
export function requestOf(parts: RequestParts): OutgoingRequest {
  const { webhook, campaign } = parts;
  const hasBody = webhook.method !== 'GET' && webhook.method !== 'DELETE';
  const rendering = renderingOf(parts);
  // A body that is not sent may still abort.
  const text = bodyOf(parts, rendering);
  const body = hasBody ? encoder.encode(text) : NOTHING;
  return {
    lane: webhook.id,
    method: webhook.method,
    url: renderedUrl(webhook.url, campaign.content, rendering),
    headers: headersOf(parts, body, rendering),
    ...(hasBody ? { body } : {}),
    timeoutMs: webhook.timeoutMs,
    connectionsMax: webhook.maxInFlight,
  };
}

function renderingOf({ campaign, members, atMs, timezone = 'UTC' }: RequestParts): Rendering {
  return new Rendering({ campaign, members, time: { nowMs: atMs, timezone } });
}

function bodyOf({ campaign, members }: RequestParts, rendering: Rendering): string {
  const { mode, type, body = '' } = campaign.content;
  if (mode === 'variables') return variablesBody(campaign, members, rendering.keyValues);
  const text = rendering.text(body, type);
  if (type === 'json') mustParse(text);
  return text;
}

/** Escaping keeps each value in its place; a comma too many of a loop it cannot mend. */
function mustParse(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new RenderRefusal('render-failed', 'the body is not JSON');
  }
}

/** The body of mode *variables*. */
export function variablesBody(
  campaign: Campaign,
  members: readonly Delivery[],
  keyValues: Readonly<Record<string, string>> = campaign.content.keyValues,
): string {
  const profiles = members.map((member) => elementOf(campaign.content, member)).join(',');
  const pairs = JSON.stringify(keyValues);
  return `{"targetId":${campaign.targetId},"key_values":${pairs},"profiles":[${profiles}]}`;
}

/** A member's element of `profiles`; most are rendered already. */
function elementOf(content: Content, member: Delivery): string {
  return member.hasSubject === true ? renderProfile(content, subjectOf(member)) : member.body;
}

function renderedUrl(template: string, { query }: Content, rendering: Rendering): string {
  const base = hasTags(template) ? rendering.text(template, 'segment') : template;
  const isSafe = base === template || isUrlStable(template, base);
  if (!isSafe) throw new RenderRefusal('render-failed', 'a value changes the path of the URL');
  const url = urlOf(base, rendering.texts(query));
  if (url.length <= URL_CHARS_MAX) return url;
  throw new RenderRefusal('render-failed', `the URL has more than ${URL_CHARS_MAX} characters`);
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
  rendering: Rendering,
): Record<string, string> {
  const { webhook, campaign, webhookId, attempt } = parts;
  const hasBody = body !== NOTHING;
  const timestamp = Math.floor(parts.atMs / 1_000);
  const headers: Record<string, string> = { 'user-agent': parts.userAgent };
  if (hasBody) headers['content-type'] = contentTypeOf(campaign.content);
  addHeaders(headers, webhook.headers, rendering);
  if (campaign.content.headers !== undefined) {
    addHeaders(headers, campaign.content.headers, rendering);
  }
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

function addHeaders(
  headers: Record<string, string>,
  templates: Readonly<Record<string, string>>,
  rendering: Rendering,
): void {
  for (const [name, template] of Object.entries(templates)) {
    const value = rendering.text(template);
    if (value !== template && !HEADER_VALUE.test(value)) {
      const message = `the header ${name} has line ends or other characters that a header cannot have`;
      throw new RenderRefusal('render-failed', message);
    }
    headers[name.toLowerCase()] = value;
  }
}

function contentTypeOf({ mode, type }: Content): string {
  const isText = mode === 'custom' && type === 'text';
  return isText ? 'text/plain; charset=utf-8' : 'application/json';
}

function authorizationOf(auth: Webhook['auth']): string | undefined {
  if (auth.kind === 'none') return undefined;
  if (auth.kind === 'bearer') return `Bearer ${auth.token}`;
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
}
