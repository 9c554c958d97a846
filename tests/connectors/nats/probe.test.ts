import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { connectNats, type NatsOptions } from '../../../connectors/nats/connection.ts';
import { probeConnection, probeNats } from '../../../connectors/nats/probe.ts';
import { natsPrograms, startNatsServer } from '../../support/nats-server.ts';

const programs = await natsPrograms();

test('probe: says which servers did not answer, without their secrets', async () => {
  const closed = createServer();
  closed.listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as { port: number };
  closed.close();
  const urls = [`nats://root:hunter2@127.0.0.1:${port}`];
  const probe = probeNats({ urls }, { needsJetStream: true });
  await expect(probe).rejects.toMatchObject({
    code: 'ERR_NATS_UNREACHABLE',
    domain: 'user',
    message: expect.stringMatching(`^A NATS server must answer at nats://127.0.0.1:${port}, none`),
  });
});

test('probe: a server older than any that is supported is refused', async () => {
  const info = { version: '2.9.9', jetstream: true, max_payload: 1 };
  const probe = probeConnection({ info } as never, { needsJetStream: true });
  await expect(probe).rejects.toMatchObject({
    code: 'ERR_NATS_VERSION',
    message: 'The NATS server must be of version 2.9.10 or newer, it is 2.9.9.',
  });
});

for (const program of programs) {
  describe(`NATS ${program.version}`, () => {
    test('probe: a server without JetStream is refused only when it is needed', async () => {
      const server = await startNatsServer({ program, hasJetStream: false });
      const options = { urls: [server.url] };
      const probe = probeNats(options, { needsJetStream: true });
      await expect(probe).rejects.toMatchObject({ code: 'ERR_NATS_NO_JETSTREAM' });
      const plain = await probeNats(options, { needsJetStream: false });
      expect(plain).toEqual({
        version: program.version,
        payloadBytesMax: 2 ** 20,
        degradations: [],
      });
      await server.stop();
    });

    test('probe: wrong credentials are refused, right ones pass', async () => {
      const config = 'authorization { user: lapse, password: right }';
      const server = await startNatsServer({ program, config });
      const urls = [server.url];
      const attempts: [NatsOptions, string][] = [
        [{ urls, user: 'lapse', password: 'wrong' }, "user 'lapse'"],
        [{ urls, token: 'wrong' }, 'the token'],
        [{ urls }, 'a connection without any'],
      ];
      for (const [options, what] of attempts) {
        await expect(connectNats(options)).rejects.toMatchObject({
          code: 'ERR_NATS_AUTH',
          message: expect.stringContaining(`it refused ${what}.`),
        });
      }
      const right = { urls, user: 'lapse', password: 'right' };
      expect((await probeNats(right, { needsJetStream: true })).version).toBe(program.version);
      await server.stop();
    });

    test('probe: replicas need a server that replicates writes safely', async () => {
      const server = await startNatsServer({ program });
      const options = { urls: [server.url] };
      const single = await probeNats(options, { needsJetStream: true });
      expect(single.degradations.length).toBeGreaterThan(0);
      const probe = probeNats(options, { needsJetStream: true, replicas: 3 });
      if (program.version.startsWith('2.9.')) {
        await expect(probe).rejects.toMatchObject({ code: 'ERR_NATS_REPLICAS', domain: 'user' });
      } else expect((await probe).degradations).toEqual([]);
      await server.stop();
    });
  });
}

test('connection: a credentials file that is not there is named', async () => {
  const options = { urls: ['nats://127.0.0.1:1'], credsFile: '/nowhere/lapse.creds' };
  await expect(connectNats(options)).rejects.toMatchObject({
    code: 'ERR_NATS_CREDENTIALS',
    message: expect.stringContaining("'/nowhere/lapse.creds'"),
  });
});
