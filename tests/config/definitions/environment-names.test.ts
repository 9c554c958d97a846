// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so do files name variables.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import {
  checkEnvironmentNames,
  ENVIRONMENT_NAMES,
} from '../../../config/definitions/environment-names.ts';

const NOTHING: ReadonlySet<string> = new Set();

test('a misspelt name is refused with the one that was meant', () => {
  expect(() => checkEnvironmentNames({ LAPSE_PROT: '1' }, NOTHING)).toThrow(
    'LAPSE_PROT must be the name of a setting (did you mean LAPSE_PORT?), got a variable that nothing reads',
  );
});

test('every known name, names of others and those that a service links are taken', () => {
  const env = Object.fromEntries([...ENVIRONMENT_NAMES].map((name) => [name, 'x']));
  const linked = { LAPSE_SERVICE_HOST: '10.0.0.1', LAPSE_PORT_8080_TCP_ADDR: '10.0.0.1' };
  checkEnvironmentNames({ ...env, ...linked, LAPSED: '1', NATS_URL: 'x' }, NOTHING);
});

test('a name that definitions refer to is read, so it is taken', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lapse-names-'));
  try {
    const path = join(folder, 'hooks.yaml');
    writeFileSync(path, 'webhooks: [{id: crm, url: "${LAPSE_CRM}"}]\n');
    const env = { LAPSE_CRM: 'http://127.0.0.1:9/' };
    expect(loadConfiguration([path], env).definitions.webhooks).toHaveLength(1);
    expect(() => loadConfiguration([], env)).toThrow('LAPSE_CRM must be the name of a setting');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
