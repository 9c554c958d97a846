/** `webhooks:` of a definitions file. */
import * as z from 'zod';
import { formatDuration } from '../../engine/time/duration.ts';
import type { Webhook } from '../../operators/definitions.ts';
import { hasTags } from '../../operators/render/template.ts';
import { urlPartsOf, withoutTags } from '../../operators/render/url-template.ts';
import {
  choice,
  duration,
  exactlyOneOf,
  idLeaf,
  integer,
  type Leaf,
  mapping,
  schemaOf,
  text,
} from '../../operators/schema/leaf.ts';
import {
  webhookLimits as limits,
  RETRY_SCHEDULE_MS,
  RETRY_WAITS_MAX,
  SECRET_BYTES_MAX,
  SECRET_BYTES_MIN,
  URL_CHARS_MAX,
} from '../limits.ts';
import { headers } from './header-schema.ts';
import { templateOf } from './template-leaf.ts';

const CREDENTIAL_CHARS_MAX = 4_096;
/** No line ends, for these go into headers. */
const PRINTABLE = /^[^\p{Cc}]*$/u;

const urlLeaf: Leaf<string> = {
  wanted: 'an http or https URL without user name, password and fragment',
  read: (value) => {
    if (typeof value !== 'string' || value.length > URL_CHARS_MAX) return undefined;
    const text = withoutTags(value);
    if (!/^https?:\/\/[^/\s]/i.test(text) || /\s/.test(text) || !URL.canParse(text))
      return undefined;
    const url = new URL(text);
    const isPlain = url.username === '' && url.password === '' && url.hash === '';
    return isPlain ? value : undefined;
  },
  json: { type: 'string', pattern: '^(https?://|\\$\\{)' },
};

/** Where requests go is checked when it is saved, and must not hang on a user. */
function targetRefusal(url: string): string | undefined {
  const isFixed = !hasTags(urlPartsOf(url)?.origin ?? '');
  return isFixed ? undefined : 'a URL whose scheme, host and port are no template';
}

const secretLeaf: Leaf<string> = {
  wanted: `whsec_ and the base64 of ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes`,
  read: (value) => {
    if (typeof value !== 'string' || !value.startsWith('whsec_')) return undefined;
    const base64 = value.slice('whsec_'.length);
    const bytes = Buffer.from(base64, 'base64');
    // `Buffer` skips what is not base64: only a text that comes back the same was one.
    if (bytes.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, '')) return undefined;
    const isFit = bytes.length >= SECRET_BYTES_MIN && bytes.length <= SECRET_BYTES_MAX;
    return isFit ? value : undefined;
  },
  json: { type: 'string' },
};

const credential = schemaOf(
  text('a text without line ends', { charsMax: CREDENTIAL_CHARS_MAX, pattern: PRINTABLE }),
);
const userName = schemaOf(
  text('a text without line ends and colons', { charsMax: 255, pattern: /^[^\p{Cc}:]+$/u }),
);
const tokenLeaf: Leaf<string> = {
  wanted: 'a token of visible characters',
  read: (value) => {
    const token =
      typeof value === 'object' && value !== null && Object.keys(value).join() === 'token'
        ? (value as { readonly token: unknown }).token
        : value;
    const isFit = typeof token === 'string' && token.length <= CREDENTIAL_CHARS_MAX;
    return isFit && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
  },
  json: {
    anyOf: [
      { type: 'string' },
      {
        type: 'object',
        properties: { token: { type: 'string', description: 'The bearer token.' } },
        required: ['token'],
        additionalProperties: false,
      },
    ],
  },
};

const auth = mapping({
  basic: mapping({
    username: userName.describe('User name of HTTP basic authentication.'),
    password: credential.describe('Its password; better taken from the environment.'),
  })
    .describe('HTTP basic authentication.')
    .optional(),
  bearer: schemaOf(tokenLeaf)
    .describe('A bearer token; better taken from the environment.')
    .optional(),
}).refine(...exactlyOneOf('basic', 'bearer'));

const rate = mapping({
  limit: schemaOf(integer(limits.rateLimit)).describe('Requests in the time `per`.'),
  per: schemaOf(duration(limits.ratePerMs)).describe('The time in which requests are counted.'),
  burst: schemaOf(integer(limits.rateBurst))
    .prefault(limits.rateBurst.default)
    .describe('Requests that may leave at once after a pause; 1 spreads them evenly.'),
});

const batch = mapping({
  max: schemaOf(integer(limits.batchMax))
    .prefault(limits.batchMax.default)
    .describe('Users in one request at most.'),
  linger: schemaOf(duration(limits.batchLingerMs))
    .prefault(formatDuration(limits.batchLingerMs.default))
    .describe('How long the first user of a request waits for others.'),
});

const retry = z
  .array(schemaOf(duration(limits.retryWaitMs)))
  .refine((waits) => waits.length >= 1 && waits.length <= RETRY_WAITS_MAX, {
    message: `must be a list of 1 to ${RETRY_WAITS_MAX} durations`,
  })
  .prefault(RETRY_SCHEDULE_MS.map(formatDuration));

const successLeaf: Leaf<'2xx' | '200'> = {
  wanted: '2xx or 200',
  read: (value) => (value === '2xx' ? '2xx' : String(value) === '200' ? '200' : undefined),
  json: { enum: ['2xx', '200', 200] },
};

export const webhookSchema = mapping({
  id: schemaOf(idLeaf).describe('What campaigns call it.'),
  url: templateOf(urlLeaf, 'segment', targetRefusal).describe(
    'Where requests go. Path and query may be templates.',
  ),
  method: schemaOf(choice('GET', 'POST', 'PUT', 'PATCH', 'DELETE'))
    .prefault('POST')
    .describe('HTTP method of the requests.'),
  headers: headers.describe('Headers added to each request; may be templates.'),
  auth: auth.describe('How requests identify Lapse. Absent: not at all.').optional(),
  rate: rate
    .describe('How fast requests may leave. Absent: as fast as maxInFlight allows.')
    .optional(),
  maxInFlight: schemaOf(integer(limits.maxInFlight))
    .prefault(limits.maxInFlight.default)
    .describe('Requests that may wait for their response at one time.'),
  batch: batch.describe('How users share one request.').optional(),
  timeout: schemaOf(duration(limits.timeoutMs))
    .prefault(formatDuration(limits.timeoutMs.default))
    .describe('Longest time from the start of an attempt to the end of its response.'),
  retry: retry.describe('Waits before attempts 2, 3, …; the last one repeats until ttl.'),
  secret: schemaOf(secretLeaf)
    .describe('Signs requests (Standard Webhooks). Absent: they carry no signature.')
    .optional(),
  success: schemaOf(successLeaf).prefault('2xx').describe('Which status counts as delivered.'),
}).superRefine((value, context) => {
  const name = Object.keys(value.headers).find((one) => one.toLowerCase() === 'authorization');
  if (value.auth === undefined || name === undefined) return;
  context.addIssue({
    code: 'custom',
    path: ['headers', name],
    message: 'must be left out beside auth, which sets it',
  });
});

type WebhookInput = z.output<typeof webhookSchema>;

function authOf({ auth }: WebhookInput): Webhook['auth'] {
  if (auth?.basic !== undefined) return { kind: 'basic', ...auth.basic };
  if (auth?.bearer !== undefined) return { kind: 'bearer', token: auth.bearer };
  return { kind: 'none' };
}

/** The webhook as the engine knows it. */
export function webhookOf(input: WebhookInput): Webhook {
  const { rate: rateInput, secret } = input;
  return {
    id: input.id,
    url: input.url,
    method: input.method,
    headers: input.headers,
    auth: authOf(input),
    ...(rateInput === undefined
      ? {}
      : { rate: { limit: rateInput.limit, perMs: rateInput.per, burst: rateInput.burst } }),
    maxInFlight: input.maxInFlight,
    batch: {
      max: input.batch?.max ?? limits.batchMax.default,
      lingerMs: input.batch?.linger ?? limits.batchLingerMs.default,
    },
    timeoutMs: input.timeout,
    retryScheduleMs: input.retry,
    ...(secret === undefined ? {} : { secret }),
    success: input.success,
  };
}
