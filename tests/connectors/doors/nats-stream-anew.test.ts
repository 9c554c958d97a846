/** A stream of events that is deleted, made again, or lost by its server, under a door that reads. */
import { jetstream, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NatsDoor, type NatsDoorOptions } from '../../../connectors/doors/nats/nats-door.ts';
import type { LapseError } from '../../../engine/errors/errors.ts';
import { Conditions } from '../../../engine/health/conditions.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { type NatsServer, natsPrograms, startNatsServer } from '../../support/nats-server.ts';
import { allRecordsOf, behindTheDoor, until } from './door-stage.ts';

const programs = await natsPrograms();
const servers = programs.length > 0 ? programs : [{ path: '', version: 'none' }];
const BEFORE = 50;
/** More than were in the old stream, so that its position lies in the midst of these. */
const AFTER = 55;

describe.skipIf(programs.length === 0).each(servers)(
  'a stream made anew, NATS $version',
  (program) => {
    let server: NatsServer;
    let connection: NatsConnection;
    let names: { stream: string; events: string };
    let streamNumber = 0;
    const doors: NatsDoor[] = [];

    beforeAll(async () => {
      server = await startNatsServer({ program });
      connection = await connect({
        servers: server.url,
        reconnectTimeWait: 20,
        maxReconnectAttempts: -1,
      });
    });

    afterAll(async () => {
      await connection?.close();
      await server?.stop();
    });

    afterEach(async () => {
      for (const door of doors.splice(0)) await door.close();
    });

    function newStage() {
      const number = ++streamNumber;
      names = { stream: `EVENTS_${number}`, events: `events${number}.>` };
      return behindTheDoor();
    }

    /** A door with what it says of itself. */
    async function open(
      stage: ReturnType<typeof behindTheDoor>,
      options: Partial<NatsDoorOptions> = {},
    ) {
      const told: string[] = [];
      const notices: string[] = [];
      const conditions = new Conditions(systemClock, {
        began: ({ cause, where }) => told.push(`${cause} ${where}`),
        over: ({ cause, where }) => told.push(`${cause} ${where} over`),
      });
      const door = await NatsDoor.open({
        connection,
        ...stage,
        ...names,
        conditions: conditions.from('door'),
        onNotice: ({ code }: LapseError) => notices.push(code),
        ...options,
      });
      doors.push(door);
      return { door, told, notices, conditions };
    }

    async function shut(door: NatsDoor): Promise<void> {
      doors.splice(doors.indexOf(door), 1);
      await door.close();
    }

    const streams = async () => (await jetstreamManager(connection)).streams;

    const remove = async () => void (await (await streams()).delete(names.stream));

    const make = async (config: { storage?: StorageType; retention?: RetentionPolicy } = {}) =>
      void (await (
        await streams()
      ).add({ name: names.stream, subjects: [names.events], ...config }));

    async function publish(from: number, count: number): Promise<void> {
      for (let i = from; i < from + count; i++) {
        const event = { type: 'track', userId: `u${i}`, event: 'Step', properties: { i } };
        await jetstream(connection).publish(
          names.events.replace('>', 'shop'),
          JSON.stringify(event),
        );
      }
    }

    /** What the log has got of the events, by their numbers. */
    const numbersIn = (stage: ReturnType<typeof behindTheDoor>) =>
      allRecordsOf(stage.log)
        .map(({ properties }) => properties?.i as number | undefined)
        .filter((i) => i !== undefined)
        .sort((a, b) => a - b);

    const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

    test('is read from its first message on, each once, over a restart too', async () => {
      const stage = newStage();
      const first = await open(stage);
      await publish(0, BEFORE);
      await until(() => stage.intake.recordsAppended === BEFORE);
      await remove();
      await make();
      await publish(BEFORE, AFTER);
      await until(() => first.door.durableSequence === AFTER);
      expect(numbersIn(stage)).toEqual(upTo(BEFORE + AFTER));
      expect(first.notices).toEqual(['ERR_NATS_STREAM_RENEWED']);
      await shut(first.door);
      const again = behindTheDoor({ log: stage.log });
      const second = await open(again);
      await publish(BEFORE + AFTER, 1);
      await until(() => again.intake.recordsAppended > 0);
      await again.intake.idle();
      expect(numbersIn(again)).toEqual(upTo(BEFORE + AFTER + 1));
      expect(second.notices).toEqual([]);
    });

    test('as often as it is', async () => {
      const stage = newStage();
      const { door } = await open(stage);
      const rounds = 3;
      for (let round = 0; round < rounds; round++) {
        if (round > 0) {
          await remove();
          await make();
        }
        await publish(round * AFTER, AFTER);
        await until(() => stage.intake.recordsAppended >= (round + 1) * AFTER);
      }
      await until(() => door.durableSequence === AFTER);
      expect(numbersIn(stage)).toEqual(upTo(rounds * AFTER));
    });

    test('has ids of its own, so that its events are no duplicates of the old ones', async () => {
      const stage = newStage();
      const ids: string[] = [];
      const add = stage.intake.add.bind(stage.intake);
      stage.intake.add = (event, ...rest) => {
        ids.push(event.messageId);
        add(event, ...rest);
      };
      await open(stage);
      await publish(0, 2);
      await until(() => ids.length === 2);
      await remove();
      await make();
      await publish(2, 2);
      await until(() => ids.length === 4);
      expect(new Set(ids).size).toBe(4);
    });

    test('while the door was closed is read from its first message on', async () => {
      const stage = newStage();
      const first = await open(stage);
      await publish(0, 5);
      await until(() => first.door.durableSequence === 5);
      await shut(first.door);
      await remove();
      await make();
      await publish(5, AFTER);
      const again = behindTheDoor({ log: stage.log });
      const { notices } = await open(again);
      await until(() => again.intake.recordsAppended === AFTER);
      expect(numbersIn(again)).toEqual(upTo(5 + AFTER));
      expect(notices).toEqual(['ERR_NATS_STREAM_RENEWED']);
    });

    test('by hand after its server lost it with its memory', async () => {
      const stage = newStage();
      await make({ storage: StorageType.Memory });
      const { door, told } = await open(stage);
      await publish(0, BEFORE);
      await until(() => door.durableSequence === BEFORE);
      await server.restart();
      await until(() => told.includes(`stream-gone ${names.stream}`));
      await make({ storage: StorageType.Memory });
      await publish(BEFORE, AFTER);
      await until(() => door.durableSequence === AFTER);
      expect(numbersIn(stage)).toEqual(upTo(BEFORE + AFTER));
    });

    test('and until then timers go on, and what comes then is not overtaken by them', async () => {
      const stage = newStage();
      const { told, conditions } = await open(stage);
      await publish(0, 1);
      await until(() => stage.intake.recordsAppended === 1);
      await remove();
      await until(() => conditions.isOpen('stream-gone'));
      await until(() => !stage.intake.isCatchingUp);
      const ticks = 3;
      for (let tick = 0; tick < ticks; tick++) {
        stage.intake.requestTick(0, Date.now());
        await until(() => stage.intake.recordsAppended === 2 + tick);
      }
      await make();
      await publish(1, 1);
      const askedAtMs = Date.now() + 1;
      await until(() => Date.now() > askedAtMs);
      for (let p = 0; p < stage.log.partitionCount; p++) stage.intake.requestTick(p, askedAtMs);
      const all = 1 + ticks + 1 + stage.log.partitionCount;
      await until(() => stage.intake.recordsAppended === all);
      const event = allRecordsOf(stage.log).find(({ properties }) => properties?.i === 1)!;
      // A record that a tick had overtaken would have been raised to the tick's time.
      const stored = await (await streams()).getMessage(names.stream, { seq: 1 });
      expect(event.receivedAtMs).toBe(stored!.time.getTime());
      await until(() => conditions.open().length === 0);
      expect(told).toEqual([`stream-gone ${names.stream}`, `stream-gone ${names.stream} over`]);
    });

    test('that cannot serve is named, and timers go on', async () => {
      const stage = newStage();
      const { conditions } = await open(stage);
      await remove();
      await make({ retention: RetentionPolicy.Workqueue });
      await until(() => conditions.isOpen('stream-unreadable'));
      expect(conditions.open()[0]!.message).toContain("must have the retention 'limits'");
      await until(() => !stage.intake.isCatchingUp);
      stage.intake.requestTick(0, Date.now());
      await until(() => stage.intake.recordsAppended === 1);
    });

    test('NATS that goes away is told once, and once when it is back', async () => {
      const stage = newStage();
      const { told, conditions } = await open(stage);
      await until(() => !stage.intake.isCatchingUp);
      await server.kill();
      await until(() => conditions.isOpen('nats-away'));
      await server.restart();
      await until(() => told.length === 2 && !stage.intake.isCatchingUp);
      expect(told).toEqual(['nats-away ', 'nats-away  over']);
    });
  },
);
