import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownEndpoints } from '../../../app/serve/own-endpoints.ts';
import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import type { DefinitionsError } from '../../../config/definitions/problem.ts';
import { resolveRuntime } from '../../../config/definitions/runtime.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-egress-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(text: string): string {
  const path = join(folder, 'file.yaml');
  writeFileSync(path, text);
  return path;
}

function problemsOf(text: string, env = {}, egressFlags: Readonly<Record<string, unknown>> = {}) {
  try {
    loadConfiguration([put(text)], env, { egressFlags });
    return [];
  } catch (error) {
    return (error as DefinitionsError).problems;
  }
}

const PRIVATE = 'webhooks:\n- id: crm\n  url: http://10.0.0.1:8080/in?key=secret\n';

describe('a webhook with a private URL', () => {
  test('is refused with its place, the setting that allows it, and no more of the URL than its host', () => {
    expect(problemsOf(PRIVATE)).toEqual([
      expect.objectContaining({
        path: 'webhooks[0].url',
        line: 3,
        code: 'ERR_EGRESS',
        message:
          'webhooks[0].url must be a URL with a public address, or one that egress.allow lists, got "10.0.0.1:8080"',
      }),
    ]);
  });

  test.each([
    ['the file', `egress: {allow: [10.0.0.0/8]}\n${PRIVATE}`, {}, {}],
    ['the file, as one text', `egress: {allow: "crm.local, 10.0.0.0/8"}\n${PRIVATE}`, {}, {}],
    ['the environment', PRIVATE, { LAPSE_EGRESS_ALLOW: '127.0.0.1, 10.0.0.0/8' }, {}],
    ['a flag', PRIVATE, {}, { egress: '10.0.0.1' }],
  ])('is taken when %s lists it', (_, text, env, flags) => {
    expect(problemsOf(text, env, flags)).toEqual([]);
  });

  test('is not looked at where nothing is sent', () => {
    expect(loadConfiguration([put(PRIVATE)], {}).definitions.webhooks).toHaveLength(1);
  });

  test('whose host is still to be set is not judged', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of the file.
    const path = put('webhooks: [{id: crm, url: "https://${CRM_HOST}/in"}]');
    const options = { hasPlaceholders: true, egressFlags: {} };
    expect(loadConfiguration([path], {}, options).unset).toEqual(['CRM_HOST']);
  });
});

describe('egress.allow', () => {
  test('a wrong entry is refused by name', () => {
    expect(problemsOf('egress: {allow: [10.0.0.0/33]}\n')).toEqual([
      expect.objectContaining({ path: 'egress.allow' }),
    ]);
    expect(() => resolveRuntime({ egress: '*' }, {}, {})).toThrow('--egress must be');
  });

  test('receivers of this machine are allowed by default, as nobody else reaches the server', () => {
    const local = ['127.0.0.0/8', '::1', 'localhost'];
    expect(resolveRuntime({}, {}, {}).egress.allow).toEqual(local);
    const onLoopback = 'webhooks:\n- id: crm\n  url: http://127.0.0.1:9/in\n';
    expect(problemsOf(onLoopback)).toEqual([]);
    expect(problemsOf(`egress: {allow: [10.0.0.0/8]}\n${onLoopback}`)).toHaveLength(1);
  });

  test('nothing is allowed by default once the server listens on other addresses', () => {
    expect(resolveRuntime({ host: '192.0.2.1' }, {}, {}).egress.allow).toEqual([]);
  });
});

test('our own doors and NATS servers are known, with the ports they have by default', () => {
  const flags = { port: '8081', nats: 'nats://a.internal:4333, tls://10.0.0.9,c.internal' };
  expect(ownEndpoints(resolveRuntime(flags, {}, {}))).toEqual([
    expect.objectContaining({ host: '127.0.0.1', port: 8081 }),
    { host: 'a.internal', port: 4333 },
    { host: '10.0.0.9', port: 4222 },
    { host: 'c.internal', port: 4222 },
  ]);
  expect(ownEndpoints(resolveRuntime({ port: '0' }, {}, {}))).toEqual([]);
});
