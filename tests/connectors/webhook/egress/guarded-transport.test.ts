/** The guard on real sockets: a receiver listens on loopback, and names resolve as a test says. */
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  EgressGuard,
  type EgressGuardOptions,
} from '../../../../connectors/webhook/egress/egress-guard.ts';
import { systemClock } from '../../../../engine/time/clock.ts';
import { closeAll, receiver, requestTo, transportOf } from '../transport-bench.ts';

afterEach(closeAll);

const LOOPBACK = ['127.0.0.0/8', '::1'];

/** A receiver on loopback that counts, and a transport behind a guard. */
async function stage(options: EgressGuardOptions) {
  let requests = 0;
  const { server } = await receiver((_, response) => {
    requests++;
    response.end('ok');
  });
  let connections = 0;
  server.on('connection', () => connections++);
  const { port } = server.address() as AddressInfo;
  const transport = transportOf(systemClock, new EgressGuard(options));
  const send = (host: string, path = '/') =>
    transport.send(requestTo(`http://${host}:${port}${path}`));
  return { send, port, requests: () => requests, connections: () => connections };
}

describe('at the connection', () => {
  test.each(['127.0.0.1', '2130706433', '0x7f.1', '127.1', '0', '[::ffff:127.0.0.1]', '[::1]'])(
    'the literal %s is not dialled',
    async (host) => {
      const { send, connections } = await stage({
        resolve: () => Promise.reject(new Error('asked')),
      });
      expect(await send(host)).toMatchObject({ error: 'egress' });
      expect(connections()).toBe(0);
    },
  );

  test.each([
    ['loopback', ['127.0.0.1']],
    ['loopback of IPv6', ['::1']],
    ['a mapped address', ['::ffff:127.0.0.1']],
    ['the metadata service', ['169.254.169.254']],
    ['the wire server of Azure', ['168.63.129.16']],
    ['NAT64', ['64:ff9b::7f00:1']],
    ['carrier-grade NAT', ['100.64.0.1']],
    ['a unique local address', ['fd00::1']],
    ['one public and one private address', ['8.8.8.8', '127.0.0.1']],
    ['no address', []],
  ])('a name of %s is not dialled', async (_, answers) => {
    const { send, connections } = await stage({ resolve: async () => answers });
    const result = await send('hook.example.com');
    expect(result).toMatchObject({ error: 'egress' });
    expect(connections()).toBe(0);
    // The detail goes into records and logs: it must not be a map of the network.
    for (const answer of answers) expect(JSON.stringify(result)).not.toContain(answer);
  });

  test('a name that is asked for once is dialled at the very address that was looked at', async () => {
    const answers = [['127.0.0.1'], ['127.0.0.2']];
    let asked = 0;
    const resolve = async () => answers[asked++]!;
    const { send } = await stage({ allow: ['127.0.0.1'], resolve });
    expect(await send('rebinding.example.com')).toMatchObject({ status: 200 });
    expect(asked).toBe(1);
  });

  test('a name that becomes private fails at its next connection', async () => {
    let answers = ['127.0.0.1'];
    const { send, port } = await stage({ allow: ['127.0.0.1'], resolve: async () => answers });
    expect(await send('a.example.com')).toMatchObject({ status: 200 });
    answers = ['10.0.0.1'];
    const fresh = await stage({ allow: ['127.0.0.1'], resolve: async () => answers });
    expect(await fresh.send('a.example.com')).toMatchObject({ error: 'egress' });
    expect(port).not.toBe(fresh.port);
  });

  test('a name that does not resolve is dns, not egress', async () => {
    const failure = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    const { send } = await stage({ resolve: () => Promise.reject(failure) });
    expect(await send('gone.example.com')).toMatchObject({ error: 'dns' });
  });

  test('what the lookup has missed is seen at the socket', async () => {
    const { send, requests } = await stage({ allow: LOOPBACK });
    // As an undici would that does not ask the lookup it is given.
    class Blind extends EgressGuard {
      override lookup() {
        return new EgressGuard({ allow: LOOPBACK, resolve: async () => ['127.0.0.1'] }).lookup(0);
      }
    }
    expect(await send('127.0.0.1')).toMatchObject({ status: 200 });
    const { port } = new URL(`http://127.0.0.1:${(await stage({})).port}`);
    const transport = transportOf(systemClock, new Blind());
    const result = await transport.send(requestTo(`http://hook.example.com:${port}/`));
    expect(result).toMatchObject({ error: 'egress' });
    expect(requests()).toBe(1);
  });
});

describe('with an allow-list', () => {
  test.each(['127.0.0.1', '[::ffff:127.0.0.1]', '127.1'])('%s is reached', async (host) => {
    const { send } = await stage({ allow: LOOPBACK });
    expect(await send(host)).toMatchObject({ status: 200 });
  });

  test('a listed name is reached, another name of the same address is not', async () => {
    const resolve = async () => ['127.0.0.1'];
    const { send } = await stage({ allow: ['crm.local'], resolve });
    expect(await send('crm.local')).toMatchObject({ status: 200 });
    const other = await stage({ allow: ['crm.local'], resolve });
    expect(await other.send('crm.example.com')).toMatchObject({ error: 'egress' });
  });

  test('our own port is not reached', async () => {
    const first = await stage({ allow: LOOPBACK });
    const own = [{ host: '127.0.0.1', port: first.port }];
    const resolve = async () => ['127.0.0.1'];
    const transport = transportOf(systemClock, new EgressGuard({ allow: LOOPBACK, own, resolve }));
    for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', 'a.example.com', '127.0.0.2']) {
      const request = requestTo(`http://${host}:${first.port}/`, { lane: host });
      expect(await transport.send(request)).toMatchObject({ error: 'egress' });
    }
    expect(first.connections()).toBe(0);
  });

  test('a redirect to a private address is not followed', async () => {
    const paths: (string | undefined)[] = [];
    const { server } = await receiver((request, response) => {
      paths.push(request.url);
      response.writeHead(307, { location: 'http://169.254.169.254/' }).end();
    });
    const { port } = server.address() as AddressInfo;
    const transport = transportOf(systemClock, new EgressGuard({ allow: LOOPBACK }));
    const result = await transport.send(requestTo(`http://127.0.0.1:${port}/in`));
    expect(result).toMatchObject({ status: 307 });
    expect(paths).toEqual(['/in']);
  });
});
