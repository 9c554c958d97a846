import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectJetStreamLog } from '../../../connectors/logs/jetstream/jetstream-log.ts';
import { JETSTREAM_FORMAT_VERSION } from '../../../connectors/logs/jetstream/streams.ts';
import { placeOf } from '../../../connectors/logs/jetstream/subjects.ts';
import { connectNats } from '../../../connectors/nats/connection.ts';
import type { Offset } from '../../../engine/log/log.ts';
import { type NatsServer, natsPrograms, startNatsServer } from '../../support/nats-server.ts';
import { describeLog } from './contract.ts';
import { bytesOf, readSome, texts } from './reading.ts';

const PARTITIONS = 8;
const LANE_WRITERS = [5, 6, 7];
const programs = await natsPrograms();

function open(server: NatsServer, prefix = 'lapse', partitionCount = PARTITIONS) {
  return connectJetStreamLog({ nats: { urls: [server.url] }, prefix, partitionCount });
}

/** What the log itself does not offer: to be somebody else on the same server. */
async function outsider(server: NatsServer) {
  const connection = await connectNats({ urls: [server.url] });
  return {
    manager: await jetstreamManager(connection),
    client: jetstream(connection),
    close: () => connection.close(),
  };
}

for (const program of programs) {
  const name = `JetStream log, NATS ${program.version}`;

  describeLog(name, async () => {
    const server = await startNatsServer({ program });
    return {
      partitionCount: PARTITIONS,
      connect: () => open(server),
      reopen: () => server.restart(),
      stop: () => server.stop(),
    };
  });

  describe(name, () => {
    let server: NatsServer;
    beforeAll(async () => {
      server = await startNatsServer({ program });
    });
    afterAll(() => server.stop());

    test('identity: another partition count is refused', async () => {
      await (await open(server, 'count')).close();
      await expect(open(server, 'count', PARTITIONS + 1)).rejects.toMatchObject({
        code: 'ERR_PARTITION_COUNT',
        domain: 'user',
      });
    });

    test('identity: a log of another format is refused', async () => {
      await (await open(server, 'format')).close();
      const { client, close } = await outsider(server);
      const identity = {
        formatVersion: JETSTREAM_FORMAT_VERSION + 1,
        partitionCount: PARTITIONS,
        id: 'x',
      };
      await client.publish('format.meta.identity', JSON.stringify(identity));
      await close();
      await expect(open(server, 'format')).rejects.toMatchObject({ code: 'ERR_LOG_VERSION' });
    });

    test('identity: one stands, when several create the log at once', async () => {
      const opened = await Promise.all([0, 1, 2, 3].map(() => open(server, 'together')));
      const { manager, close } = await outsider(server);
      const info = await manager.streams.info('TOGETHER_META');
      // Beside it the log notes when each of its three other streams was created.
      expect(info.state.last_seq).toBe(1 + 3);
      await Promise.all([...opened.map((log) => log.close()), close()]);
    });

    test('streams: one of that name that somebody else made is refused and not altered', async () => {
      const { manager, close } = await outsider(server);
      const made = await manager.streams.add({ name: 'FOREIGN_IN', subjects: ['foreign.in.>'] });
      await expect(open(server, 'foreign')).rejects.toMatchObject({
        code: 'ERR_STREAM_FOREIGN',
        domain: 'user',
      });
      expect((await manager.streams.info('FOREIGN_IN')).config).toEqual(made.config);
      await close();
    });

    test('streams: subjects that belong to another stream are refused', async () => {
      const { manager, close } = await outsider(server);
      await manager.streams.add({ name: 'ALL', subjects: ['taken.out.crm.>'] });
      await expect(open(server, 'taken')).rejects.toMatchObject({ code: 'ERR_STREAM_FOREIGN' });
      await close();
    });

    test('streams: missing ones are an error, when they may not be made', async () => {
      const log = connectJetStreamLog({
        nats: { urls: [server.url] },
        prefix: 'missing',
        partitionCount: PARTITIONS,
        create: false,
      });
      await expect(log).rejects.toMatchObject({ code: 'ERR_STREAM_MISSING' });
    });

    test('append: an envelope that the server would not take is refused', async () => {
      const log = await open(server, 'large');
      const append = log.append('in.0', new Uint8Array(2 ** 20));
      await expect(append).rejects.toMatchObject({ code: 'ERR_LOG_TOO_LARGE', domain: 'user' });
      await log.close();
    });

    test('read: stock is bounded, when the reader is slower than the server', async () => {
      const log = await open(server, 'slow');
      const count = 100;
      const text = 'y'.repeat(100_000);
      for (let i = 0; i < count; i++) await log.append('in.0', bytesOf(text));
      const { manager, close } = await outsider(server);
      let wake: () => void = () => undefined;
      const readable = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const reader = log.read('in.0', 0, () => wake());
      expect(reader.poll()).toBeUndefined();
      await readable;
      // A round trip on the reader's own connection: all that was sent before has arrived.
      await log.tail('in.0');
      const consumers = await manager.consumers.list('SLOW_IN').next();
      expect(consumers[0]!.delivered.stream_seq).toBeLessThanOrEqual(20);
      reader.close();
      await Promise.all([log.close(), close()]);
    });

    test('crash: nothing acknowledged is lost and nothing doubled, when the server is killed', async () => {
      const [writer, reader] = [await open(server, 'crash'), await open(server, 'crash')];
      const count = 600;
      const offsets: Offset[] = [];
      const plain = readSome(reader, 'in.0', 0, count);
      const fenced = readSome(reader, 'out.crm', 0, count);
      let isKilled: () => void = () => undefined;
      const halfway = new Promise<void>((resolve) => {
        isKilled = resolve;
      });
      const appends = Array.from({ length: count }, async (_, i) => {
        offsets[i] = (await writer.append('in.0', bytesOf(`${i}`)))!;
        if (i === count / 3) isKilled();
      });
      // Partitions that write to one lane at once.
      const lane = LANE_WRITERS.map(async (number) => {
        for (let i = 0; i < count / LANE_WRITERS.length; i++) {
          const position = { epoch: 1, offset: i + 1, ordinal: 0 };
          await writer.append('out.crm', bytesOf(`${i}`), { writer: number, position });
        }
      });
      await halfway;
      await server.kill();
      await server.restart();
      await Promise.all([...appends, ...lane]);
      const wanted = Array.from({ length: count }, (_, i) => `${i}`);
      const seen = await plain;
      expect(texts(seen)).toEqual(wanted);
      expect(seen.map(({ offset }) => offset)).toEqual(offsets);
      const inLane = await fenced;
      for (const number of LANE_WRITERS) {
        const own = inLane.filter(({ fence }) => fence?.writer === number);
        expect(texts(own)).toEqual(wanted.slice(0, count / LANE_WRITERS.length));
      }
      // Read anew: what the reader saw over the crash is what the server has.
      expect(texts(await readSome(writer, 'in.0', 0, count))).toEqual(wanted);
      expect(await writer.tail('in.0')).toBe(offsets.at(-1));
      await Promise.all([writer.close(), reader.close()]);
    });
  });
}

test('subjects: names cannot escape their token', () => {
  expect(placeOf('lapse', 'in.7').plain).toBe('lapse.in.7.r');
  expect(placeOf('lapse', 'out.a.b>').fenced(3)).toBe('lapse.out.a=2eb=3e.3');
  expect(placeOf('lapse', 'rejected').filter).toBe('lapse.rejected.=.>');
  for (const topic of ['', '.x', 'in.', 'meta.x', 'In.1', 'a*b']) {
    expect(() => placeOf('lapse', topic)).toThrowError(/^A topic must be/);
  }
});
