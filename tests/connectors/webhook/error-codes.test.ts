import { expect, test } from 'vitest';
import { errorCodeOf } from '../../../connectors/webhook/error-codes.ts';

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

test.each([
  ['UND_ERR_CONNECT_TIMEOUT', 'timeout'],
  ['ECONNRESET', 'reset'],
  ['UND_ERR_SOCKET', 'reset'],
  ['ECONNREFUSED', 'refused'],
  ['EHOSTUNREACH', 'unreachable'],
  ['ENOTFOUND', 'dns'],
  ['EAI_AGAIN', 'dns'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls'],
  ['CERT_HAS_EXPIRED', 'tls'],
  ['HPE_INVALID_CONSTANT', 'protocol'],
  ['ESOMETHING', 'unknown'],
])('error codes: %s is %s', (code, wanted) => {
  expect(errorCodeOf(coded(code))).toBe(wanted);
});

test('error codes: of several addresses the first one speaks', () => {
  const error = new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')]);
  expect(errorCodeOf(error)).toBe('refused');
});

test('error codes: anything may be thrown', () => {
  expect(errorCodeOf(undefined)).toBe('unknown');
  expect(errorCodeOf('no')).toBe('unknown');
});
