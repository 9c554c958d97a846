import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/** The bytes of a Standard Webhooks secret: what stands behind `whsec_`, decoded. */
export function signingKeyOf(secret: string): Buffer {
  return Buffer.from(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret, 'base64');
}

/**
 * The value of `webhook-signature` for one secret: HMAC-SHA256 over `id.timestamp.body`.
 * Source: Standard Webhooks 1.0.0, symmetric scheme `v1`.
 * @param timestampSeconds Unix seconds of this attempt, as in `webhook-timestamp`
 * @param body the very bytes that are sent; empty for a request without a body
 */
export function signatureOf(
  key: Uint8Array,
  id: string,
  timestampSeconds: number,
  body: Uint8Array,
): string {
  const mac = createHmac('sha256', key).update(`${id}.${timestampSeconds}.`).update(body);
  return `v1,${mac.digest('base64')}`;
}
