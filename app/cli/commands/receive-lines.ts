/** What `lapse receive` says of a request: a line of facts and its body. */
import { visibleText } from '../visible-text.ts';
import type { ReceivedRequest } from './receive.ts';

/** What a payload of mode *variables* holds; of any other body nothing is known. */
export interface Content {
  readonly campaign: string;
  /** Of each profile, who it is. */
  readonly users: readonly string[];
  readonly profiles: number;
}

/** Users that a line names before it says only how many more there are. */
const USERS_SHOWN_MAX = 3;
/** Of a body; `--json` gives all of it. */
const BODY_CHARS_MAX = 1_000;
const INDENT = ' '.repeat(14);
/** What names a user, in both spellings of the payload, best first. */
const USER_KEYS = ['Identity', 'identity', 'Email', 'email', 'ObjectId', 'objectId'] as const;

export function contentOf(text: string): Content {
  try {
    const parsed = JSON.parse(text) as { targetId?: unknown; profiles?: unknown } | null;
    const profiles: readonly unknown[] = Array.isArray(parsed?.profiles) ? parsed.profiles : [];
    const targetId = parsed?.targetId;
    return {
      campaign: targetId === undefined ? '-' : String(targetId),
      users: profiles.map(userOf),
      profiles: profiles.length,
    };
  } catch {
    return { campaign: '-', users: [], profiles: 0 };
  }
}

function userOf(profile: unknown): string {
  if (typeof profile !== 'object' || profile === null) return '-';
  const facts = profile as Readonly<Record<string, unknown>>;
  const key = USER_KEYS.find((one) => typeof facts[one] === 'string');
  return key === undefined ? '-' : String(facts[key]);
}

/** Everything of others in them is shown, and nothing of it obeyed by the terminal. */
export function linesOf(received: ReceivedRequest, content: Content): readonly string[] {
  const { atMs, webhookId, headers, status, signature, isRepeat, body } = received;
  const sentAtSeconds = Number(headers['webhook-timestamp'] ?? Number.NaN);
  // The header has whole seconds, so this is what it took to the nearest second below.
  const tookSeconds = Math.max(0, Math.floor(atMs / 1_000) - sentAtSeconds);
  const facts = [
    new Date(atMs).toISOString().slice(11, 23),
    String(status),
    webhookId ?? '-',
    `signature ${signature}`,
    `campaign ${content.campaign}`,
    `profiles ${content.profiles}`,
    `users ${namesOf(content.users)}`,
    `attempt ${headers['webhook-attempt']?.toString() ?? '-'}`,
    `latency ${Number.isNaN(tookSeconds) ? '-' : `${tookSeconds}s`}`,
    ...(isRepeat ? ['repeat'] : []),
  ];
  return [visibleText(facts.join('  ')), `${INDENT}${bodyText(body)}`];
}

function namesOf(users: readonly string[]): string {
  if (users.length === 0) return '-';
  const shown = users.slice(0, USERS_SHOWN_MAX).join(', ');
  return users.length > USERS_SHOWN_MAX
    ? `${shown} and ${users.length - USERS_SHOWN_MAX} more`
    : shown;
}

function bodyText(body: string): string {
  if (body === '') return '(no body)';
  const isLong = body.length > BODY_CHARS_MAX;
  const shown = visibleText(body.slice(0, BODY_CHARS_MAX));
  return isLong ? `${shown}… (${body.length} characters; --json shows all)` : shown;
}
