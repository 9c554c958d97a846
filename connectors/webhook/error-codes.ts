import type { TransportErrorCode } from '../../engine/sender/transport.ts';

/** Node's and undici's codes, by what they mean for a delivery. */
const CODES: Readonly<Record<string, TransportErrorCode>> = {
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ECONNABORTED: 'reset',
  UND_ERR_SOCKET: 'reset',
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EACCES: 'unreachable',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EAI_NODATA: 'dns',
  ERR_EGRESS: 'egress',
  EPROTO: 'tls',
  UND_ERR_HEADERS_OVERFLOW: 'response-too-large',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'response-too-large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'protocol',
  UND_ERR_INVALID_ARG: 'invalid-request',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'invalid-request',
  UND_ERR_NOT_SUPPORTED: 'invalid-request',
  ERR_INVALID_URL: 'invalid-request',
  ERR_INVALID_CHAR: 'invalid-request',
};

/** OpenSSL names what is wrong with a certificate in codes without a common prefix. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME|CRL|^ERR_(SSL|TLS)/;

/** The stable code of whatever undici or Node reports. */
export function errorCodeOf(error: unknown): TransportErrorCode {
  const code = codeOf(error);
  // undici's parser errors come with and without a code.
  if (code === undefined) return nameOf(error) === 'HTTPParserError' ? 'protocol' : 'unknown';
  if (CERTIFICATE.test(code)) return 'tls';
  // llhttp's: the answer is not HTTP.
  if (code.startsWith('HPE_')) return 'protocol';
  return CODES[code] ?? 'unknown';
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  // Several addresses were tried: the first failure speaks for all.
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}
