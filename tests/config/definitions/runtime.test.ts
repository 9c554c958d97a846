import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { resolveRuntime } from '../../../config/definitions/runtime.ts';
import { runtimeSettings } from '../../../config/definitions/runtime-table.ts';
import { engineLimits, intakeLimits } from '../../../config/limits.ts';
import { LapseError } from '../../../engine/errors/errors.ts';

describe('resolveRuntime', () => {
  test('gives the defaults, when nothing is set', () => {
    const limits = Object.fromEntries(
      Object.entries(intakeLimits).map(([name, range]) => [name, range.default]),
    );
    expect(resolveRuntime({}, {}, {})).toEqual({
      server: { host: '127.0.0.1', port: 8080, origins: [], hostNames: [] },
      egress: { allow: ['127.0.0.0/8', '::1', 'localhost'] },
      data: 'lapse-data',
      engine: {
        workers: Math.max(1, availableParallelism() - 1),
        partitions: engineLimits.partitions.default,
        reorderWindowMs: engineLimits.reorderWindowMs.default,
        checkpointIntervalMs: engineLimits.checkpointIntervalMs.default,
        messageIdsMax: engineLimits.messageIdsMax.default,
        durability: 'disk',
      },
      limits,
    });
  });

  test('prefers flags to the environment, that to the file, and that to the default', () => {
    const file = { 'server.port': 1, 'server.host': 'file', data: 'file' };
    const env = { LAPSE_PORT: '2', LAPSE_HOST: 'env', LAPSE_DATA: '' };
    const runtime = resolveRuntime({ port: '3', host: undefined }, env, file);
    expect(runtime.server).toMatchObject({ port: 3, host: 'env' });
    expect(runtime.data).toBe('file');
  });

  test('reads every setting from the environment', () => {
    const env = {
      NATS_URL: 'nats://other:4222',
      LAPSE_NATS_URL: 'tls://n1:4222,n2:4222',
      LAPSE_NATS_EVENTS: 'app.*.events.>',
      LAPSE_NATS_STREAM: 'APP',
      LAPSE_NATS_REPLICAS: '3',
      LAPSE_NATS_USER: 'u',
      LAPSE_NATS_PASSWORD: 'p',
      LAPSE_NATS_TLS_CA: 'ca.pem',
      LAPSE_NATS_TLS_CERT: 'cert.pem',
      LAPSE_NATS_TLS_KEY: 'key.pem',
      LAPSE_ENGINE_REORDER_WINDOW: '2s',
      LAPSE_ENGINE_DURABILITY: 'process',
      LAPSE_LIMITS_EVENT_BYTES_MAX: '64 KB',
    };
    const runtime = resolveRuntime({}, env, {});
    expect(runtime.nats).toEqual({
      url: 'tls://n1:4222,n2:4222',
      events: 'app.*.events.>',
      stream: 'APP',
      replicas: 3,
      user: 'u',
      password: 'p',
      tls: { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' },
    });
    expect(runtime.engine).toMatchObject({ reorderWindowMs: 2_000, durability: 'process' });
    expect(runtime.limits.eventBytesMax).toBe(64 * 1_024);
    expect(resolveRuntime({}, { NATS_URL: 'n:4222' }, {}).nats?.url).toBe('n:4222');
    expect(resolveRuntime({ nats: 'flag:4222' }, env, {}).nats?.url).toBe('flag:4222');
  });

  test('names each variable after the path of its setting', () => {
    for (const [path, { environment }] of Object.entries(runtimeSettings)) {
      const upper = path.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase();
      expect(environment[0]).toBe(`LAPSE_${upper.replace('SERVER_', '')}`);
    }
  });

  const nats = { LAPSE_NATS_URL: 'n:4222' };
  test.each<[Record<string, unknown>, Record<string, string>, string]>([
    [{ port: 'x' }, {}, '--port must be a whole number between 0 and 65535, got "x"'],
    [
      {},
      { LAPSE_PORT: '65536' },
      'LAPSE_PORT must be a whole number between 0 and 65535, got "65536"',
    ],
    [
      {},
      { LAPSE_ENGINE_DURABILITY: 'none' },
      'LAPSE_ENGINE_DURABILITY must be disk or process, got "none"',
    ],
    [
      {},
      { NATS_URL: 'http://n' },
      'NATS_URL must be the URL of a NATS server like nats://127.0.0.1:4222, or several with commas, got "http://n"',
    ],
    [
      {},
      { ...nats, LAPSE_NATS_EVENTS: 'a..b' },
      'LAPSE_NATS_EVENTS must be a NATS subject like events.>, got "a..b"',
    ],
    [
      {},
      { ...nats, LAPSE_NATS_TOKEN: 'a\nb' },
      'LAPSE_NATS_TOKEN must be a text without line ends, got something else',
    ],
    [
      {},
      { ...nats, LAPSE_NATS_USER: 'u' },
      'nats.password must be given beside nats.user, got nothing',
    ],
    [
      {},
      { ...nats, LAPSE_NATS_TLS_KEY: 'k' },
      'nats.tls.cert must be given beside nats.tls.key, got nothing',
    ],
    [
      {},
      { ...nats, LAPSE_NATS_TOKEN: 't', LAPSE_NATS_NKEY: 'k' },
      'nats must be given one of user, token, nkey and creds, got token and nkey',
    ],
    [
      {},
      { LAPSE_LIMITS_EVENT_BYTES_MAX: '1 MB' },
      'limits.eventBytesMax must be at most limits.requestBytesMax (512000), got 1048576',
    ],
  ])('refuses %j with %j', (flags, env, message) => {
    try {
      resolveRuntime(flags, env, {});
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(LapseError);
      expect((error as LapseError).message).toBe(message);
      expect((error as LapseError).code).toBe('ERR_SETTINGS');
    }
  });
});
