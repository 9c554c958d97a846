/** Headers that a webhook or a campaign adds to requests. */
import * as z from 'zod';
import type { Leaf } from '../../operators/schema/leaf.ts';
import { HEADER_VALUE_CHARS_MAX, HEADERS_MAX } from '../limits.ts';
import { templateOf } from './template-leaf.ts';

/** Set by the sender, the HTTP client or the signature: a second one would break the request. */
const RESERVED_HEADERS = new Set([
  'connection',
  'content-length',
  'content-type',
  'host',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'webhook-id',
  'webhook-signature',
  'webhook-timestamp',
]);

const headerValueLeaf: Leaf<string> = {
  wanted: `a text of at most ${HEADER_VALUE_CHARS_MAX} Latin-1 characters without line ends`,
  read: (value) => {
    if (typeof value !== 'string' || value.length > HEADER_VALUE_CHARS_MAX) return undefined;
    return /^[\t\x20-\x7e\xa0-\xff]*$/.test(value) ? value : undefined;
  },
  json: { type: 'string' },
};

/** `headers:` of a webhook and of a campaign's content. */
export const headers = z
  .record(z.string(), templateOf(headerValueLeaf))
  .superRefine((value, context) => {
    const names = Object.keys(value);
    if (names.length > HEADERS_MAX) {
      context.addIssue({
        code: 'custom',
        message: `must be a mapping of at most ${HEADERS_MAX} headers`,
      });
    }
    const seen = new Set<string>();
    for (const name of names) {
      const lower = name.toLowerCase();
      const wanted = headerNameRefusal(name, lower, seen);
      seen.add(lower);
      if (wanted !== undefined) {
        context.addIssue({ code: 'custom', path: [name], message: `must be ${wanted}` });
      }
    }
  })
  .prefault({});

function headerNameRefusal(name: string, lower: string, seen: Set<string>): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return 'under the name of an HTTP header';
  if (RESERVED_HEADERS.has(lower)) return 'left out (Lapse sets this header itself)';
  return seen.has(lower) ? 'given once (header names ignore case)' : undefined;
}
