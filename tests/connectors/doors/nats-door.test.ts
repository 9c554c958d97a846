import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { pack } from 'msgpackr';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NatsDoor, type NatsDoorOptions } from '../../../connectors/doors/nats/nats-door.ts';
import { readRejected } from '../../../connectors/doors/rejected.ts';
import { BATCH_MESSAGES } from '../../../connectors/nats/pull-session.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { Acknowledgement } from '../../../engine/intake/intake.ts';
import { partitionOf } from '../../../engine/state/hash.ts';
import { recordsOf } from '../../engine/intake/intake-records.ts';
import { type NatsServer, natsPrograms, startNatsServer } from '../../support/nats-server.ts';
import { allRecordsOf, behindTheDoor, PARTITION_COUNT, until } from './door-stage.ts';

const programs = await natsPrograms();
const servers = programs.length > 0 ? programs : [{ path: '', version: 'none' }];

describe.skipIf(programs.length === 0).each(servers)('NATS door on $version', (program) => {
  let server: NatsServer;
  let connection: NatsConnection;
  let streamNumber = 0;
  let names: { stream: string; events: string };
  const doors: NatsDoor[] = [];

  beforeAll(async () => {
    server = await startNatsServer({ program });
    connection = await connect({ servers: server.url, reconnectTimeWait: 20 });
  });

  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  afterEach(async () => {
    for (const door of doors.splice(0)) await door.close();
  });

  /** Each test has a stream of its own. */
  function newNames() {
    const number = ++streamNumber;
    names = { stream: `EVENTS_${number}`, events: `events${number}.>` };
    return names;
  }

  async function open(
    stage: ReturnType<typeof behindTheDoor>,
    options: Partial<NatsDoorOptions> = {},
  ): Promise<NatsDoor> {
    const door = await NatsDoor.open({ connection, ...stage, ...names, ...options });
    doors.push(door);
    return door;
  }

  async function shut(door: NatsDoor): Promise<void> {
    doors.splice(doors.indexOf(door), 1);
    await door.close();
  }

  const subject = () => names.events.replace('>', 'shop');
  const publish = (payload: Uint8Array | string) =>
    jetstream(connection).publish(subject(), payload);
  const track = (i: number, user = 'u1') => ({
    type: 'track',
    userId: user,
    event: 'Step',
    properties: { i },
  });

  test('every form of payload comes in, and in order', async () => {
    newNames();
    const stage = behindTheDoor();
    await open(stage);
    await publish(JSON.stringify(track(0)));
    await publish(JSON.stringify([track(1), track(2)]));
    await publish(`${JSON.stringify(track(3))}\n${JSON.stringify(track(4))}\n`);
    await publish(pack(track(5)));
    await publish(pack([track(6), track(7)]));
    await until(() => stage.intake.recordsAppended === 8);
    expect(allRecordsOf(stage.log).map((record) => record.properties.i)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
    expect(stage.counters.acceptedBy('nats')).toBe(8);
  });

  test('the time of receipt is when the stream stored the message', async () => {
    newNames();
    const stage = behindTheDoor();
    const door = await open(stage);
    const { seq } = await publish(JSON.stringify(track(0)));
    await until(() => door.durableSequence === seq);
    const manager = await jetstreamManager(connection);
    const stored = await manager.streams.getMessage(names.stream, { seq });
    expect(allRecordsOf(stage.log)[0]!.receivedAtMs).toBe(stored!.time.getTime());
  });

  test('what cannot be an event is kept with its bytes and spoils nothing', async () => {
    newNames();
    const stage = behindTheDoor();
    await open(stage);
    await publish('{"type":');
    await publish(Uint8Array.of(0xff, 0xfe));
    await publish(JSON.stringify([track(0), { type: 'track' }, track(1)]));
    await until(() => stage.intake.recordsAppended === 2);
    await stage.rejected.idle();
    const { envelopes } = await readRejected(stage.log);
    const kept = envelopes.flatMap(({ records }) => records);
    expect(kept.map(({ index, code }) => [index, code])).toEqual([
      [0, 'ERR_EVENT_JSON'],
      [0, 'ERR_EVENT_JSON'],
      [1, 'ERR_EVENT_USER'],
    ]);
    expect(kept.map(({ bytes }) => Buffer.from(bytes).toString('latin1'))).toEqual([
      '{"type":',
      '\u00ff\u00fe',
      '{"type":"track"}',
    ]);
  });

  test('what came while it was closed comes when it opens, once, and before any tick', async () => {
    newNames();
    const stage = behindTheDoor();
    const first = await open(stage);
    await publish(JSON.stringify(track(0)));
    await until(() => stage.intake.recordsAppended === 1);
    await shut(first);
    for (let i = 1; i <= 50; i++) await publish(JSON.stringify(track(i)));
    // The same log with a new intake is what a restart looks like.
    const second = behindTheDoor({ log: stage.log });
    const tickAtMs = Date.now();
    const partition = partitionOf('u1', PARTITION_COUNT);
    await until(() => Date.now() > tickAtMs);
    await open(second);
    second.intake.requestTick(partition, tickAtMs);
    await until(() => allRecordsOf(stage.log).some((record) => record.kind === RecordKind.tick));
    const records = recordsOf(stage.log, partition).flat();
    expect(records.map(({ kind, properties }) => properties.i ?? kind)).toEqual([
      ...Array.from({ length: 51 }, (_, i) => i),
      RecordKind.tick,
    ]);
  });

  test('after a crash nothing is missing, and what comes again has the same id', async () => {
    newNames();
    const stage = behindTheDoor();
    await open(stage);
    const messages = 300;
    for (let i = 0; i < messages; i++) connection.publish(subject(), JSON.stringify(track(i)));
    await connection.flush();
    await until(() => stage.intake.recordsAppended >= 100);
    // The first door is not closed, so that its position is what happened to be saved.
    const second = behindTheDoor({ log: stage.log });
    await open(second);
    await until(() => !second.intake.isCatchingUp && stage.intake.recordsAppended === messages);
    await second.intake.idle();
    const ids = new Map<unknown, Set<string>>();
    const firsts: unknown[] = [];
    for (const { properties, eventId } of allRecordsOf(stage.log)) {
      if (!ids.has(properties.i)) firsts.push(properties.i);
      ids.set(properties.i, (ids.get(properties.i) ?? new Set()).add(eventId));
    }
    expect(firsts).toEqual(Array.from({ length: messages }, (_, i) => i));
    expect([...ids.values()].every(({ size }) => size === 1)).toBe(true);
  });

  test('what is asked for before it reads stands before the backlog, and ticks behind it', async () => {
    newNames();
    const first = behindTheDoor();
    const before = await open(first);
    const { seq } = await publish(JSON.stringify(track(0)));
    await until(() => before.durableSequence === seq);
    await shut(before);
    const lastMs = allRecordsOf(first.log)[0]!.receivedAtMs;
    await until(() => Date.now() > lastMs);
    await publish(JSON.stringify(track(1)));
    const second = behindTheDoor({ log: first.log });
    const door = await NatsDoor.open({ connection, ...second, ...names, isHeld: true });
    doors.push(door);
    expect(second.intake.isCatchingUp).toBe(true);
    const partition = partitionOf('u1', PARTITION_COUNT);
    second.intake.requestTick(partition, lastMs);
    second.intake.control({}, new Acknowledgement(), RecordKind.control);
    door.start();
    const records = () => recordsOf(first.log, partition).flat();
    await until(() => records().some(({ kind }) => kind === RecordKind.tick));
    expect(records().map(({ kind }) => kind)).toEqual([
      RecordKind.track,
      RecordKind.control,
      RecordKind.track,
      RecordKind.tick,
    ]);
    expect(records()[1]!.receivedAtMs).toBe(lastMs);
  });

  test('a door that closes lets no tick pass what it has not read', async () => {
    newNames();
    const first = behindTheDoor();
    const before = await open(first);
    const { seq } = await publish(JSON.stringify(track(0)));
    await until(() => before.durableSequence === seq);
    await shut(before);
    const lastMs = allRecordsOf(first.log)[0]!.receivedAtMs;
    await until(() => Date.now() > lastMs);
    await publish(JSON.stringify(track(1)));
    const second = behindTheDoor({ log: first.log });
    const door = await open(second, { isHeld: true });
    second.intake.requestTick(partitionOf('u1', PARTITION_COUNT), lastMs);
    await shut(door);
    await second.intake.idle();
    expect(allRecordsOf(first.log).map(({ kind }) => kind)).toEqual([RecordKind.track]);
  });

  test('it is behind until it has read what is there, and then lets ticks pass in an idle stream', async () => {
    newNames();
    const stage = behindTheDoor();
    await open(stage);
    await until(() => !stage.intake.isCatchingUp);
    const asOfMs = Date.now();
    stage.intake.requestTick(2, asOfMs);
    await until(() => allRecordsOf(stage.log).length === 1);
    expect(allRecordsOf(stage.log)[0]!.receivedAtMs).toBe(asOfMs);
  });

  test('events whose append failed are read again', async () => {
    newNames();
    let failures = 1;
    const stage = behindTheDoor({
      beforeStore: (topic) => {
        if (topic.startsWith('in.') && failures-- > 0) throw new Error('the disk is full');
      },
    });
    await open(stage);
    await publish(JSON.stringify(track(0)));
    await until(() => stage.intake.recordsAppended === 1);
    expect(stage.intake.appendsFailed).toBe(1);
  });

  test('nothing that is on its way overtakes what could not be stored', async () => {
    newNames();
    const partition = partitionOf('u1', PARTITION_COUNT);
    const other = ['u2', 'u3', 'u4'].find((id) => partitionOf(id, PARTITION_COUNT) !== partition)!;
    let failures = 1;
    let letGo: (() => void) | undefined;
    const stage = behindTheDoor({
      beforeStore: (topic) => {
        if (topic === `in.${partition}` && failures-- > 0) throw new Error('the disk is full');
        // What came with it takes longer.
        if (topic !== `in.${partitionOf(other, PARTITION_COUNT)}` || letGo !== undefined) return;
        return new Promise<void>((resolve) => {
          letGo = resolve;
        });
      },
    });
    const door = await open(stage);
    await publish(JSON.stringify([track(0), track(1, other)]));
    await until(() => stage.intake.appendsFailed === 1);
    const { seq } = await publish(JSON.stringify(track(2)));
    const manager = await jetstreamManager(connection);
    const isRead = async () => (await manager.streams.info(names.stream)).state.consumer_count > 0;
    while (stage.intake.recordsAppended === 0 && (await isRead()));
    letGo!();
    await until(() => door.durableSequence === seq);
    const records = recordsOf(stage.log, partition).flat();
    expect(records.map(({ properties }) => properties.i)).toEqual([0, 2]);
  });

  test('it goes on when the server has crashed and is back', async () => {
    newNames();
    const stage = behindTheDoor();
    await open(stage);
    await publish(JSON.stringify(track(0)));
    await until(() => stage.intake.recordsAppended === 1);
    await server.restart();
    await until(() => !stage.intake.isCatchingUp);
    await publish(JSON.stringify(track(1)));
    await until(() => stage.intake.recordsAppended === 2);
    expect(allRecordsOf(stage.log).map((record) => record.properties.i)).toEqual([0, 1]);
  });

  test('an event without a messageId is named by Nats-Msg-Id, else by its place', async () => {
    newNames();
    const stage = behindTheDoor();
    const ids: string[] = [];
    const add = stage.intake.add.bind(stage.intake);
    stage.intake.add = (event, ...rest) => {
      ids.push(event.messageId);
      add(event, ...rest);
    };
    await open(stage);
    const withId = headers();
    withId.set('Nats-Msg-Id', 'order-7');
    await jetstream(connection).publish(subject(), JSON.stringify(track(0)), { headers: withId });
    await publish(JSON.stringify([track(1), { ...track(2), messageId: 'own' }]));
    await until(() => ids.length === 3);
    expect(ids[0]).toBe('order-7');
    expect(ids[1]).toMatch(new RegExp(`^nats:${names.stream}@[0-9a-z]+:2:0$`));
    expect(ids[2]).toBe('own');
  });

  test('a stream that is there is used and not altered, or refused with what must be', async () => {
    newNames();
    const manager = await jetstreamManager(connection);
    const other = names.events.replace('>', 'other');
    await manager.streams.add({ name: names.stream, subjects: [other] });
    await expect(open(behindTheDoor())).rejects.toThrow(
      `The stream '${names.stream}' must capture '${names.events}', it captures '${other}'. ` +
        'Lapse does not alter streams: name another one in nats.stream or add the subject.',
    );
    await expect(open(behindTheDoor(), { stream: `${names.stream}_NEW` })).rejects.toThrow(
      `nats.stream must name the stream that captures '${names.events}': another one than ` +
        `'${names.stream}_NEW' already captures some of it.`,
    );
  });

  test('a stream made again under its name is read from its beginning', async () => {
    newNames();
    const stage = behindTheDoor();
    const first = await open(stage);
    for (let i = 0; i < 5; i++) await publish(JSON.stringify(track(i)));
    await until(() => first.durableSequence === 5);
    await shut(first);
    const manager = await jetstreamManager(connection);
    await manager.streams.delete(names.stream);
    await open(stage);
    await publish(JSON.stringify(track(5)));
    await until(() => stage.intake.recordsAppended === 6);
    expect(allRecordsOf(stage.log).map((record) => record.properties.i)).toEqual([
      0, 1, 2, 3, 4, 5,
    ]);
  });

  test('memory stays bounded when the log is slow: it stops pulling', async () => {
    newNames();
    let release = () => {};
    const slow = new Promise<void>((resolve) => {
      release = resolve;
    });
    const stage = behindTheDoor({
      inFlightBytesMax: 1_000,
      beforeStore: (topic) => (topic.startsWith('in.') ? slow : undefined),
    });
    await open(stage);
    const messages = 5_000;
    for (let i = 0; i < messages; i++) connection.publish(subject(), JSON.stringify(track(i)));
    await connection.flush();
    // What was asked for still comes, but the server has no question for more.
    await until(() => stage.counters.acceptedBy('nats') === BATCH_MESSAGES);
    const manager = await jetstreamManager(connection);
    const [consumer] = await manager.consumers.list(names.stream).next();
    expect(stage.intake.hasRoom).toBe(false);
    expect(consumer).toMatchObject({ num_waiting: 0, num_pending: messages - BATCH_MESSAGES });
    release();
    await until(() => stage.intake.recordsAppended === messages);
    const steps = allRecordsOf(stage.log).map((record) => record.properties.i);
    expect(steps).toEqual(Array.from({ length: messages }, (_, i) => i));
  });
});
