import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** How far a request's timestamp may be off, either way (Standard Webhooks). */
export const TOLERANCE_SECONDS = 300;

/** `none`: unsigned, or no secret to check with; `old`: signed well, at another time. */
export type SignatureVerdict = 'ok' | 'bad' | 'old' | 'none';

/** Checks a Standard Webhooks signature, written apart from the sender's code on purpose. */
export function verifySignature(
  secret: string | undefined,
  headers: IncomingHttpHeaders,
  body: Uint8Array,
  nowMs: number,
): SignatureVerdict {
  const signatures = headers['webhook-signature'];
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  if (secret === undefined || signatures === undefined) return 'none';
  if (typeof id !== 'string' || typeof timestamp !== 'string') return 'bad';
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const wanted = createHmac('sha256', key).update(signed).digest();
  const isGenuine = String(signatures)
    .split(' ')
    .some((entry) => entry.startsWith('v1,') && isEqual(entry.slice('v1,'.length), wanted));
  if (!isGenuine) return 'bad';
  const isNear = Math.abs(nowMs / 1_000 - Number(timestamp)) <= TOLERANCE_SECONDS;
  return isNear ? 'ok' : 'old';
}

function isEqual(signature: string, wanted: Buffer): boolean {
  const given = Buffer.from(signature, 'base64');
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
