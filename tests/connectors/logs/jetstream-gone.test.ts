/** Streams of the log itself that are deleted or made anew under who reads and writes them. */
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectJetStreamLog } from '../../../connectors/logs/jetstream/jetstream-log.ts';
import { connectNats } from '../../../connectors/nats/connection.ts';
import { LapseError } from '../../../engine/errors/errors.ts';
import { Conditions } from '../../../engine/health/conditions.ts';
import type { LogReader } from '../../../engine/log/log.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { type NatsServer, natsPrograms, startNatsServer } from '../../support/nats-server.ts';
import { bytesOf } from './reading.ts';

const programs = await natsPrograms();
const ENVELOPES = 5;

describe.each(programs)("the log's own streams, NATS $version", (program) => {
  let server: NatsServer;
  let prefixNumber = 0;
  let prefix = '';
  beforeAll(async () => {
    server = await startNatsServer({ program });
  });
  afterAll(() => server.stop());

  const open = (conditions?: Conditions) =>
    connectJetStreamLog({
      nats: { urls: [server.url] },
      prefix,
      partitionCount: 2,
      ...(conditions === undefined ? {} : { conditions: conditions.from('log') }),
    });

  /** A log with something in it, of which a reader has read all. */
  async function read() {
    prefix = `gone${++prefixNumber}`;
    const conditions = new Conditions(systemClock, { began() {}, over() {} });
    const log = await open(conditions);
    for (let i = 0; i < ENVELOPES; i++) await log.append('in.0', bytesOf(`${i}`));
    const seen: number[] = [];
    let onFailure: (error: unknown) => void;
    const failed = new Promise<unknown>((resolve) => {
      onFailure = resolve;
    });
    let reader: LogReader | undefined;
    const all = new Promise<void>((resolve) => {
      const poll = () => {
        try {
          for (let at = reader!.poll(); at !== undefined; at = reader!.poll()) seen.push(at.offset);
          if (seen.length === ENVELOPES) resolve();
        } catch (error) {
          onFailure(error);
        }
      };
      reader = log.read('in.0', 0, poll);
      poll();
    });
    await all;
    return { log, conditions, seen, failed };
  }

  /** What happens to a stream by another hand. */
  async function alter(kind: string, isMadeAgain: boolean): Promise<void> {
    const connection = await connectNats({ urls: [server.url] });
    const { streams } = await jetstreamManager(connection);
    const name = `${prefix}_${kind}`.toUpperCase();
    const { config } = await streams.info(name);
    await streams.delete(name);
    if (isMadeAgain) await streams.add(config);
    await connection.close();
  }

  const codeOf = (error: unknown) => (error instanceof LapseError ? error.code : error);

  test.each([
    ['made anew', true],
    ['deleted', false],
  ])('that is %s ends what reads it, with a clear error', async (_, isMadeAgain) => {
    const { log, conditions, seen, failed } = await read();
    await alter('in', isMadeAgain);
    const error = await failed;
    expect(codeOf(error)).toBe('ERR_LOG_GONE');
    expect((error as LapseError).message).toContain(`GONE${prefixNumber}_IN`);
    expect(conditions.isOpen('log-gone')).toBe(true);
    expect(seen).toHaveLength(ENVELOPES);
    await expect(log.append('in.0', bytesOf('more'))).rejects.toMatchObject({
      code: 'ERR_LOG_GONE',
    });
    await log.close();
    // Nor does another process take it for the log that it was.
    await expect(open()).rejects.toMatchObject({ code: 'ERR_LOG_GONE', domain: 'user' });
  });

  test('that is only written is missed too', async () => {
    const { log, conditions } = await read();
    await log.append('door.events', bytesOf('position'));
    await alter('door', true);
    await expect.poll(() => conditions.isOpen('log-gone'), { timeout: 15_000 }).toBe(true);
    await log.close();
  }, 20_000);

  test('that was replaced while the server was away is noticed when it is back', async () => {
    const { log, failed } = await read();
    await server.restart();
    await alter('in', true);
    expect(codeOf(await failed)).toBe('ERR_LOG_GONE');
    await log.close();
  });

  test('all of them deleted is a new log', async () => {
    const { log } = await read();
    await log.close();
    const connection = await connectNats({ urls: [server.url] });
    const { streams } = await jetstreamManager(connection);
    for (const kind of ['META', 'IN', 'OUT', 'DONE']) {
      await streams.delete(`${prefix}_${kind}`.toUpperCase());
    }
    await connection.close();
    await (await open()).close();
  });

  test('without what says what the log is are refused', async () => {
    const { log } = await read();
    await log.close();
    await alter('meta', true);
    await expect(open()).rejects.toMatchObject({ code: 'ERR_LOG_GONE' });
  });

  test('that come back with their server go on', async () => {
    const { log, conditions } = await read();
    await server.restart();
    const offset = await log.append('in.0', bytesOf('after'));
    expect(offset).toBe(ENVELOPES + 1);
    await expect.poll(() => conditions.open().length, { timeout: 5_000 }).toBe(0);
    await log.close();
  });
});
