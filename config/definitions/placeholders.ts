/**
 * What stands for variables that are not set, where who qualifies does not hang on them: in what
 * only a request or a connection needs. So files can be checked and simulated by people and
 * machines that have no secrets.
 */
const PLACES = [
  /^webhooks\[\d+\]\.(?:url|headers|auth|secret)\b/,
  /^campaigns\[\d+\]\.content\b/,
  /^nats\b/,
];

/** What every placeholder but a secret begins with. */
export const UNSET = 'unset-';

/** A signing secret that nobody takes for a real one. */
const SECRET = `whsec_${Buffer.from('a placeholder, not a secret').toString('base64')}`;

/**
 * @param path of the value
 * @param name of the variable
 * @returns undefined where the variable must be set
 */
export function placeholderOf(path: string, name: string): string | undefined {
  if (!PLACES.some((place) => place.test(path))) return undefined;
  return /^webhooks\[\d+\]\.secret$/.test(path) ? SECRET : `${UNSET}${name}`;
}
